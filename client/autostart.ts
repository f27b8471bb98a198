import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { autostartProgram } from '../platform/autostart.ts';
import { inOwnUserNamespace } from '../platform/places.ts';
import { KeyholdError } from '../protocol/errors.ts';
import type { Places } from '../protocol/places.ts';
import { agentWords } from './as-root.ts';

/** open(2)'s flag as it stands in /proc/PID/fdinfo. */
const O_CLOEXEC = 0o2000000;

/** An agent that was started. `hasFailed`: it has ended by a fault; one that found another agent at work ends without. */
export type Starting = { readonly hasFailed: () => boolean };

/**
 * Starts the agent that STATE/autostart points to, detached from us; `install` writes that link. Answers undefined, and does
 * nothing, if KEYHOLD_NO_AUTOSTART=1, if there is no such link, or if anybody but us or root could have put it there or
 * could change what it points to, or in a user namespace of our own (rootless podman). Several may start one at once: the agent itself sees to it that one stays.
 */
export function startAgent(places: Places, environment: NodeJS.ProcessEnv = process.env): Starting | undefined {
  if (environment.KEYHOLD_NO_AUTOSTART === '1') return undefined;
  const program = agentProgram(places);
  if (program === undefined) return undefined;
  let hasFailed = false;
  const child = spawnAgent(program, environment);
  child.on('error', () => {
    hasFailed = true;
  });
  child.on('exit', (code) => {
    hasFailed = code !== 0;
  });
  child.unref();
  return { hasFailed: () => hasFailed };
}

/** The agent's executable by STATE/autostart; undefined if none can be trusted, or none may be started here. */
export function agentProgram(places: Places): string | undefined {
  return inOwnUserNamespace() ? undefined : autostartProgram(places.state);
}

/**
 * Runs the agent detached, with nothing of this process but its environment: a pipe or a lock that somebody left open
 * for us would be held for as long as the agent lives. `stderr` is where it may say why it does not start. Throws
 * `agent_unreachable` where a descriptor that we inherited lies above our own limit: that one could not be kept from the agent.
 */
export function spawnAgent(
  program: string,
  environment: NodeJS.ProcessEnv,
  stderr: number | 'ignore' = 'ignore',
): ChildProcess {
  const nothing = openSync('/dev/null', 'r');
  const inherited = overInherited(nothing);
  try {
    return spawn(program, agentWords(), {
      cwd: '/',
      detached: true,
      stdio: ['ignore', 'ignore', stderr, ...inherited],
      env: withoutInherited(environment),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    const highest = inherited.length + 2;
    throw new KeyholdError(
      'agent_unreachable',
      `cannot start the agent: descriptor ${highest} is open, above what this program may open (ulimit -n); close it, or raise the limit`,
      { cause: error },
    );
  } finally {
    closeSync(nothing);
  }
}

/**
 * What the agent gets as descriptors 3 and up: `nothing` in place of each that this process inherited. Closing them
 * here would take them from the program that we may be a part of; exec closes node's own, which tells them apart.
 */
function overInherited(nothing: number): (number | 'ignore')[] {
  const inherited = new Set(descriptors().filter((fd) => fd > 2 && !isClosedByExec(fd)));
  return Array.from({ length: Math.max(2, ...inherited) - 2 }, (_, at) => (inherited.has(at + 3) ? nothing : 'ignore'));
}

function descriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isClosedByExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return true; // it was the one that listed the folder
  }
}

/** A service manager's messages to us are not for the agent, which would take them for its own. */
function withoutInherited(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = new Set(['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'NOTIFY_SOCKET', 'JOURNAL_STREAM']);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !inherited.has(name)));
}
