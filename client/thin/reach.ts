import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Places } from '../../protocol/places.ts';
import { checkSocketFolder, locateAll } from '../locate.ts';
import { autostart, NONE, type Start } from './autostart.ts';

/** Milliseconds between two attempts to connect to an agent that is starting or busy. */
const PAUSE = 3;

export type ReachOptions = {
  readonly environment: NodeJS.ProcessEnv;
  /** Milliseconds for everything: finding, starting, connecting. */
  readonly deadline: number;
  /** Whether an agent may be started; KEYHOLD_NO_AUTOSTART=1 forbids it in any case. */
  readonly mayStart: boolean;
};

/**
 * Opens a connection to the agent of this user, starting one if it may. Throws `agent_unreachable` where none answers
 * in time, `unsafe_place` where the socket's folder is not ours alone, and `socket_path_too_long`.
 */
export async function reach({ environment, deadline, mayStart }: ReachOptions): Promise<Socket> {
  // A socket that is named needs no home; only autostart would, and finds none below /.
  const home = environment['HOME'] ?? (environment['KEYHOLD_SOCKET'] === undefined ? undefined : '/');
  const find = () => locateAll({ ...environment, HOME: home });
  const until = performance.now() + deadline;
  let start: Start | undefined;
  try {
    for (;;) {
      // Looked for anew each time: an agent that starts meanwhile says where it is.
      const places = find();
      const socket = await connectToFirst(places);
      if (typeof socket === 'object') return socket;
      if (socket === 'nobody') {
        start ??= mayStart ? autostart(places[0]!, environment) : undefined;
        const failure = start ? start.step() : NONE;
        if (failure !== undefined) throw new KeyholdError('agent_unreachable', failure);
      }
      if (performance.now() > until) {
        throw new KeyholdError('agent_unreachable', 'the agent did not answer in time; run: keyhold doctor');
      }
      await sleep(PAUSE);
    }
  } finally {
    start?.dispose();
  }
}

/** A connection to the first place where an agent listens, or why there is none. */
async function connectToFirst(places: readonly Places[]): Promise<Socket | 'nobody' | 'busy'> {
  for (const { agentSocket } of places) {
    const socket = checkSocketFolder(agentSocket) ? await connectOnce(agentSocket) : 'nobody';
    if (socket !== 'nobody') return socket;
  }
  return 'nobody';
}

/** A connection, or why there is none: `nobody` listens, or who does has no room in its queue yet. */
function connectOnce(path: string): Promise<Socket | 'nobody' | 'busy'> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve('nobody');
      else if (error.code === 'EAGAIN') resolve('busy');
      else {
        reject(new KeyholdError('agent_unreachable', 'cannot reach the agent; run: keyhold doctor', { cause: error }));
      }
    });
  });
}
