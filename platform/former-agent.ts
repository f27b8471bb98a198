import { lstatSync, readFileSync, statSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Attributes } from '../protocol/attributes.ts';
import { noCapabilities } from '../protocol/capabilities.ts';
import { connect } from '../protocol/connect.ts';

/** What a running agent keeps locked in its state folder (SQLite's locks), whatever its version. */
const DATABASES = ['vault.db', 'keyring.db', 'audit.db'];
/** Milliseconds that an agent may take for each answer here. */
const ANSWER_DEADLINE = 3_000;
/** Milliseconds between two looks whether it has ended. */
const PERIOD = 20;

/** An agent of version 0.1, which knew neither the lock nor the link in the state folder. */
export type FormerAgent = { readonly pid: number; readonly socket: string };

/**
 * Finds an agent of version 0.1 that serves `state`, wherever XDG_RUNTIME_DIR put its sockets when it started: the
 * kernel says which process has our databases locked (proc_locks(5)) and which agents' sockets there are
 * (/proc/net/unix), and the agent says its pid. Undefined where none does, or none of ours answers.
 */
export async function findFormerAgent(state: string, run: string): Promise<FormerAgent | undefined> {
  const pids = lockHolders(state, run);
  if (pids.size === 0) return undefined;
  for (const socket of agentSockets()) {
    const details = await askStatus(socket);
    const pid = Number(details?.get('pid'));
    // From version 0.2 on, the agent tells its state folder.
    if (pids.has(pid) && !details!.has('state_folder')) return { pid, socket };
  }
  return undefined;
}

/** Asks it to answer what it has begun and to end. False if it did not end within `deadline` milliseconds. */
export async function endFormerAgent(
  { pid, socket }: FormerAgent,
  state: string,
  run: string,
  deadline: number,
): Promise<boolean> {
  await ask(socket, 'stop').catch(() => undefined);
  return await untilUnlocked(state, run, deadline, (pids) => !pids.has(pid));
}

/** Waits until no other process has the databases of `state` locked. False at the deadline. */
export async function untilUnlocked(
  state: string,
  run: string,
  deadline: number,
  isOver = (pids: ReadonlySet<number>) => pids.size === 0,
): Promise<boolean> {
  for (const end = performance.now() + deadline; ; ) {
    if (isOver(lockHolders(state, run))) return true;
    if (performance.now() >= end) return false;
    await sleep(PERIOD);
  }
}

/** Other processes that hold a record lock for writing on a database of `state`, or the lock of an agent 0.1 in `run`. */
function lockHolders(state: string, run: string): Set<number> {
  const inodes = new Set(
    [...DATABASES.map((name) => `${state}/${name}`), `${run}/agent.lock`].flatMap((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return found ? [String(found.ino)] : [];
    }),
  );
  const holders = new Set<number>();
  if (inodes.size === 0) return holders;
  // number: POSIX ADVISORY WRITE pid major:minor:inode start end
  for (const line of readLines('/proc/locks')) {
    const [, kind, , access, pid, file = ''] = line.split(/ +/);
    const isOne = kind === 'POSIX' && access === 'WRITE' && inodes.has(file.split(':')[2] ?? '');
    if (isOne && Number(pid) !== process.pid) holders.add(Number(pid));
  }
  return holders;
}

/** Paths of listening sockets of agents in folders of ours: an agent binds `.new`, a service manager the name itself. */
function agentSockets(): string[] {
  const found = new Set<string>();
  for (const line of readLines('/proc/net/unix')) {
    const path = /(\/.*)\/(?:\.new|agent\.sock)$/.exec(line)?.[1];
    if (path !== undefined) found.add(`${path}/agent.sock`);
  }
  return [...found].filter((socket) => ownerOf(dirname(socket)) === process.getuid!());
}

async function askStatus(socket: string): Promise<ReadonlyMap<string, string> | undefined> {
  const reply = await ask(socket, 'status').catch(() => undefined);
  return reply?.status === 'ok' ? new Map(reply.details?.map(([key, value]) => [key, String(value)])) : undefined;
}

async function ask(path: string, action: 'status' | 'stop') {
  const stream = connectSocket(path);
  const timer = setTimeout(() => stream.destroy(), ANSWER_DEADLINE);
  try {
    return await connect(stream)({ action, capabilities: noCapabilities, attributes: new Attributes() });
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

function ownerOf(folder: string): number | undefined {
  try {
    return lstatSync(folder).uid;
  } catch {
    return undefined;
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n');
  } catch {
    return [];
  }
}
