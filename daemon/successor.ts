import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { autostartProgram } from '../platform/autostart.ts';
import { KeyholdError } from '../protocol/errors.ts';

/** What our sockets are for; each is told by its name where one is handed over. */
export const purposes = ['agent', 'admin', 'events'] as const;
export type Purpose = (typeof purposes)[number];

/** The name that marks a socket as an agent's own, handed on to the next one (LISTEN_FDNAMES, sd_listen_fds(3)). */
export function handedOn(purpose: Purpose): string {
  return purpose === 'agent' ? 'keyhold-handed-on' : `keyhold-handed-on-${purpose}`;
}

/** `$$` stays this process's id through exec, so the variables name the agent itself. */
const HAND_ON = `LISTEN_PID=$$ LISTEN_FDS="$1" LISTEN_FDNAMES="$2" exec "$0"`;

/**
 * Starts the agent that comes after this one and gives it the listening sockets: what connects from now on waits in the
 * kernel's queue until one of the two accepts it. It serves once this one lets go of the lock. Throws `unsupported`
 * where no agent's program is found, `backend_failed` where it cannot be started; this one then goes on.
 */
export async function startSuccessor(
  state: string,
  listening: Readonly<Partial<Record<Purpose, number | undefined>>>,
): Promise<void> {
  const program = agentProgram(state);
  const ours = purposes.filter((purpose) => listening[purpose] !== undefined);
  const sockets = ours.map((purpose) => listening[purpose]!);
  const names = ours.map(handedOn).join(':');
  const child = spawn('/bin/sh', ['-c', HAND_ON, program, String(sockets.length), names], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', ...sockets],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
}

/** What `install` points to, for it may be newer than we are; else the launcher beside our own bundle. */
function agentProgram(state: string): string {
  const installed = autostartProgram(state);
  if (installed !== undefined) return installed;
  const beside = `${import.meta.dirname}/../bin/keyhold-agent`;
  if (existsSync(beside)) return beside;
  throw new KeyholdError('unsupported', 'cannot restart: no program of the agent is found; run: keyhold stop');
}
