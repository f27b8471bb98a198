import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inOwnUserNamespace } from '../../platform/places.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { printable } from '../../protocol/text.ts';
import { spawnAgent } from '../autostart.ts';
import { makeFolder } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, SERVICE_UNIT, SOCKET_UNIT } from '../setup/systemd.ts';
import { foreignFault, type Presence, presenceOn, type Running } from './presence.ts';

/** Milliseconds that an agent may take from its start to its first answer. */
const DEADLINE = 15_000;
/** Milliseconds between two looks. */
const PERIOD = 25;
/** Bytes of what a failing agent said that are shown. */
const WORDS_MAX = 2_000;

export type Started = { readonly agent: Running; readonly wasRunning: boolean };

/**
 * Brings the agent up and waits until it answers: through its socket unit where that is set up, else as a process of
 * its own. Throws `foreign_listener` where another program listens (it is named and left alone), `agent_unreachable`
 * with the agent's own words if it ends, `deadline` if it does not answer in time.
 */
export async function startAgent(ground: Ground, program: string): Promise<Started> {
  const present = await presenceOn(ground);
  if (present.kind === 'running') return { agent: present, wasRunning: true };
  refuseOthers(ground, present);
  const manager = isManaged(ground) ? findServiceManager(ground) : undefined;
  if (manager) {
    manager.ask('reset-failed', SERVICE_UNIT, SOCKET_UNIT);
    manager.call('start', SOCKET_UNIT);
    return { agent: await untilAnswers(ground, () => undefined), wasRunning: false };
  }
  if (inOwnUserNamespace()) {
    throw new KeyholdError(
      'unsupported',
      'cannot start the agent here: this is a user namespace of its own (rootless podman, a sandbox); run: keyhold start outside of it',
    );
  }
  return { agent: await launch(ground, program), wasRunning: false };
}

async function launch(ground: Ground, program: string): Promise<Running> {
  const words = openWords(ground);
  let ending: string | undefined;
  try {
    const child = spawnAgent(program, ground.environment, words.fd);
    child.on('error', (error) => {
      ending = `${program} gives ${(error as NodeJS.ErrnoException).code}`;
    });
    child.on('exit', (code, signal) => {
      ending = `it ended with ${signal ?? code}`;
    });
    child.unref();
    return await untilAnswers(ground, () => ending && (words.read() || ending));
  } finally {
    words.close();
  }
}

/** Waits for the first answer. `whyNot` says why there will be none. */
async function untilAnswers(ground: Ground, whyNot: () => string | undefined): Promise<Running> {
  for (const end = performance.now() + DEADLINE; performance.now() < end; ) {
    const presence = await presenceOn(ground);
    if (presence.kind === 'running') return presence;
    refuseOthers(ground, presence);
    const why = whyNot();
    // An agent that finds another one at work ends; that one answers in a moment.
    if (why !== undefined && presence.kind === 'absent') {
      const other = await presenceOn(ground);
      if (other.kind === 'running') return other;
      throw new KeyholdError('agent_unreachable', `cannot start the agent: ${why}; see: keyhold logs`);
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
  throw new KeyholdError(
    'deadline',
    `cannot start the agent: it did not answer within ${DEADLINE / 1_000} s; see: keyhold logs`,
  );
}

function refuseOthers(ground: Ground, presence: Presence): void {
  if (presence.kind === 'foreign') throw foreignFault(ground, presence.listener);
  if (presence.kind === 'silent') {
    const who = presence.listener ? `pid ${presence.listener.pid}` : 'what';
    throw new KeyholdError(
      'deadline',
      `cannot start the agent: ${who} listens on ${ground.places.agentSocket} and does not answer; see: keyhold logs`,
    );
  }
}

/**
 * What the agent says on its standard error before it has a log. The file has no name any more when the agent gets it,
 * so nothing is left behind, and an agent that goes on writing there meets no closed pipe.
 */
function openWords({ places }: Ground): { readonly fd: number; read(): string; close(): void } {
  makeFolder(places.state);
  const path = join(places.state, `.start-${randomBytes(6).toString('hex')}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return {
    fd,
    read() {
      const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, WORDS_MAX));
      readSync(fd, bytes, 0, bytes.length, 0);
      const lines = bytes.toString('utf8').trim().split('\n');
      return printable(lines.at(-1)!.replace(/^keyhold(-agent)?: /, ''));
    },
    close: () => closeSync(fd),
  };
}
