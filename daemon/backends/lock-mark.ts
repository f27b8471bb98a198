import { closeSync, existsSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../../platform/durable.ts';
import type { LockMark } from '../credentials/custody.ts';

/** The file that says that the person locked the agent: it outlives the process and a power cut. */
export function openLockMark(file: string): LockMark {
  return {
    isSet: () => existsSync(file),
    set() {
      closeSync(openSync(file, 'w', 0o600));
      syncFolder(dirname(file));
    },
    clear() {
      rmSync(file, { force: true });
      syncFolder(dirname(file));
    },
  };
}
