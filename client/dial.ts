import { connect as connectSocket, type Socket } from 'node:net';
import { Attributes } from '../protocol/attributes.ts';
import { noCapabilities } from '../protocol/capabilities.ts';
import { connect } from '../protocol/connect.ts';
import { KeyholdError } from '../protocol/errors.ts';
import type { CredentialRequest, Handler } from '../protocol/handler.ts';
import { type Starting, startAgent } from './autostart.ts';
import { checkSocketFolder, locate, locateAll } from './locate.ts';

/** Milliseconds that a call may take unless the caller says otherwise. */
const DEADLINE = 5_000;
/** Milliseconds that a started agent may take until it listens. */
const START_DEADLINE = 10_000;
/** Milliseconds between two attempts to connect. */
const RETRY = 20;

/** Milliseconds on a clock that nobody sets. Of node's two this one costs a command no module (perf_hooks) to load. */
const now = () => process.uptime() * 1_000;

/** A handler whose calls go to the agent. `close` ends the connection; `using` does so by itself. */
export type Connection = Handler & { readonly close: () => void; readonly [Symbol.dispose]: () => void };

export type DialOptions = {
  /** The agent's socket; without it KEYHOLD_SOCKET and the usual places decide. */
  readonly socket?: string | undefined;
  /** Milliseconds that connecting and each call may take; 5,000 without it. A request's `wait` is added to it. */
  readonly deadline?: number | undefined;
  /** Start the agent if none answers and `install` has said how. False without it. */
  readonly autostart?: boolean | undefined;
};

/**
 * Connects to the agent. Throws `agent_unreachable` if none answers, `unsafe_place` if others could stand in its place,
 * `foreign_listener` if what answers is not ours, `deadline` if it does not answer in time. A call that is not answered
 * in time fails with `deadline` and ends the connection, because a late answer would be taken for the next one.
 */
export async function dial({ socket, deadline = DEADLINE, autostart = false }: DialOptions = {}): Promise<Connection> {
  const find = () => (socket === undefined ? locateAll().map(({ agentSocket }) => agentSocket) : [socket]);
  const mayStart = autostart && socket === undefined;
  try {
    return await greetFirst(find(), deadline);
  } catch (error) {
    if (!(error instanceof KeyholdError && error.code === 'agent_unreachable')) throw error;
    const starting = mayStart ? startAgent(locate()) : undefined;
    if (!starting) throw error;
    return await untilStarted(starting, find, deadline, error);
  }
}

async function untilStarted(
  starting: Starting,
  find: () => readonly string[],
  deadline: number,
  unreachable: KeyholdError,
): Promise<Connection> {
  for (const end = now() + START_DEADLINE; now() < end; ) {
    await pause(RETRY);
    // Asked before the look: between the two another agent may have come up.
    const hasFailed = starting.hasFailed();
    try {
      return await greetFirst(find(), deadline);
    } catch (error) {
      if (!(error instanceof KeyholdError && error.code === 'agent_unreachable')) throw error;
    }
    if (hasFailed) {
      throw new KeyholdError(
        'agent_unreachable',
        'cannot reach the agent: the one that was started has ended; to see why, run: keyhold start',
        { cause: unreachable },
      );
    }
  }
  throw new KeyholdError(
    'agent_unreachable',
    `cannot reach the agent: it was started and did not listen within ${START_DEADLINE / 1_000} s; see: keyhold logs`,
    { cause: unreachable },
  );
}

/** Greets the first of `paths` where something listens. Throws `agent_unreachable` for the last where nothing does. */
async function greetFirst(paths: readonly string[], deadline: number): Promise<Connection> {
  for (const path of paths.slice(0, -1)) {
    try {
      return await greet(path, deadline);
    } catch (error) {
      if (!(error instanceof KeyholdError && error.code === 'agent_unreachable')) throw error;
    }
  }
  return await greet(paths.at(-1)!, deadline);
}

/** Connects and makes sure that our agent is what answers, which takes no longer than usual however long calls may. */
async function greet(path: string, deadline: number): Promise<Connection> {
  const soon = Math.min(deadline, DEADLINE);
  // An agent that is ending closes without an answer, once; what does so twice is none (git's cache daemon does).
  for (let attempt = 1; ; attempt++) {
    if (!checkSocketFolder(path)) throw unreachable(path, 'ENOENT');
    const stream = await connectWithin(path, soon);
    const handler = connect(stream);
    try {
      const reply = await bounded(handler, stream, soon)(greeting);
      if (reply.status === 'ok' && reply.details?.some(([key]) => key === 'wire')) {
        const close = () => {
          stream.destroy();
        };
        return Object.assign(bounded(handler, stream, deadline), { close, [Symbol.dispose]: close });
      }
    } catch (error) {
      stream.destroy();
      if (!(error instanceof KeyholdError)) throw error;
      if (error.code === 'closed' && attempt === 1) {
        await pause(5 * RETRY);
        continue;
      }
      if (error.code !== 'closed' && error.code !== 'bad_reply') throw error;
    }
    stream.destroy();
    throw new KeyholdError(
      'foreign_listener',
      `cannot talk to the agent: another program listens on ${path}; end it, then run: keyhold start`,
    );
  }
}

const greeting: CredentialRequest = {
  action: 'capability',
  capabilities: noCapabilities,
  attributes: new Attributes(),
};

/** The handler with an end to each call's time, and of the connection with it. */
function bounded(handler: Handler, stream: Socket, deadline: number): Handler {
  return async (request) => {
    const bound = deadline + (request.wait ?? 0) * 1_000;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(tooLate(bound));
        stream.destroy();
      }, bound);
    });
    try {
      return await Promise.race([handler(request), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Tries again while the agent's queue of newcomers is full, which Linux tells as EAGAIN. */
async function connectWithin(path: string, deadline: number): Promise<Socket> {
  const end = now() + deadline;
  for (;;) {
    try {
      return await connectOnce(path, end - now());
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' && now() + RETRY < end) await pause(RETRY);
      else if (error instanceof KeyholdError) throw error;
      else if (code === 'EAGAIN') throw tooLate(deadline);
      else throw unreachable(path, code, error);
    }
  }
}

function connectOnce(path: string, within: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(tooLate(within));
    }, within);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function unreachable(path: string, code: string | undefined, cause?: unknown): KeyholdError {
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'none is running' : `${path} gives ${code}`;
  return new KeyholdError('agent_unreachable', `cannot reach the agent: ${why}; run: keyhold start`, { cause });
}

function tooLate(milliseconds: number): KeyholdError {
  const seconds = (milliseconds / 1_000).toFixed(1).replace(/\.0$/, '');
  return new KeyholdError('deadline', `cannot reach the agent: no answer within ${seconds} s; run: keyhold doctor`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
