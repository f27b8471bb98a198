import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { KeyholdError } from '../../protocol/errors.ts';

/** Milliseconds between two attempts to take the lock. */
const PERIOD = 20;

/** Which agent holds the lock of a state folder, as it wrote it there. */
export type LockHolder = { readonly pid: number; readonly socketFolder: string };

export type LockPatience = {
  /** Milliseconds that an agent which is ending gets to release the lock. */
  readonly ending: number;
  /** Wait for `ending` even while the holder's socket is there: the holder has handed its sockets on to us. */
  readonly isSuccessor: boolean;
};

/**
 * Takes the lock of a state folder, STATE/agent.lock, waiting for an agent that is ending: one whose socket is gone, or
 * that has handed it on. One that serves is left alone at once: an agent that waited for its place would come up when
 * the user ends it. Throws `agent_running` with the holder's pid and socket folder.
 */
export async function takeStateLock(state: string, { ending, isSuccessor }: LockPatience): Promise<Disposable> {
  const file = `${state}/agent.lock`;
  for (const end = performance.now() + ending; ; ) {
    try {
      return takeLock(file);
    } catch (error) {
      if (!(error instanceof KeyholdError && error.code === 'agent_running')) throw error;
      const holder = readHolder(state);
      const serves = !isSuccessor && (holder === undefined || existsSync(`${holder.socketFolder}/agent.sock`));
      if (serves || performance.now() >= end) throw holder ? heldBy(holder, error) : error;
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

/**
 * Takes a lock file: at most one process holds it, and the kernel releases it when that process ends, however it ends.
 * Node has no flock(2), so it is the lock of an SQLite file that stays empty (ADR 0005). It does not wait: SQLite would block the
 * event loop. Throws `agent_running` where another process holds it.
 */
export function takeLock(file: string): Disposable {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new KeyholdError('agent_running', 'cannot start: another agent serves these folders; see: keyhold status', {
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** Names us as the lock's holder. The lock file itself has to stay empty, so this is a file beside it. */
export function writeHolder(state: string, holder: LockHolder): void {
  const draft = `${holderFile(state)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ pid: holder.pid, socket_folder: holder.socketFolder })}\n`, { mode: 0o600 });
  renameSync(draft, holderFile(state));
}

/** Takes our name away; to be called while the lock is still held. */
export function removeHolder(state: string): void {
  rmSync(holderFile(state), { force: true });
}

/** Who holds the lock, or held it when it was killed; undefined if that cannot be told. */
export function readHolder(state: string): LockHolder | undefined {
  try {
    const { pid, socket_folder } = JSON.parse(readFileSync(holderFile(state), 'utf8'));
    if (!Number.isInteger(pid) || typeof socket_folder !== 'string') return undefined;
    return { pid, socketFolder: socket_folder };
  } catch {
    return undefined;
  }
}

function holderFile(state: string): string {
  return `${state}/agent.holder`;
}

function heldBy({ pid, socketFolder }: LockHolder, cause: unknown): KeyholdError {
  return new KeyholdError(
    'agent_running',
    `cannot start: another agent serves these folders: pid ${pid}, with its sockets in ${socketFolder}; see: keyhold status`,
    { cause },
  );
}
