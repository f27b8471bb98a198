import { DatabaseSync } from 'node:sqlite';
import { KeyholdError } from '../../protocol/errors.ts';

/**
 * Takes the agent's lock: at most one process holds it, and the kernel lets it go when that process ends, however it
 * ends. Node has no flock(2), so it is the lock of an SQLite file that stays empty (ADR 0005). Waits up to `patience`
 * milliseconds for a holder that is about to end; then throws `agent_running`.
 */
export function takeLock(file: string, patience = 0): Disposable {
  const database = new DatabaseSync(file, { timeout: patience });
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
