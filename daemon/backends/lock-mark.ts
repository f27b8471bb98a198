import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../../platform/durable.ts';
import { asFault, KeyholdError } from '../../protocol/errors.ts';

/** A lock that the person asked for outlives the process: here is where it is remembered. */
export type LockMark = { isSet(): boolean; set(): void; clear(): void };

/**
 * The file that says that the person locked the agent: it outlives the process and a power cut. While the agent is not locked the
 * file lies beside it under another name, because to rename it needs no room on a full disk.
 */
export function openLockMark(file: string): LockMark {
  const unlocked = `${file}.not`;
  try {
    if (!existsSync(file)) closeSync(openSync(unlocked, 'a', 0o600));
  } catch {
    // A lock says why, where it cannot be noted.
  }
  return {
    isSet: () => existsSync(file),
    set() {
      try {
        move(unlocked, file);
      } catch (error) {
        const { code, message } = asFault(error);
        throw new KeyholdError(code, `locked until the agent ends: ${message}, then run: keyhold lock`, {
          cause: error,
        });
      }
    },
    clear() {
      if (existsSync(file)) move(file, unlocked);
    },
  };
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    closeSync(openSync(to, 'a', 0o600));
  }
  syncFolder(dirname(to));
}
