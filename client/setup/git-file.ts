import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { readIfThere } from '../install/files.ts';

/** A file's bytes after a change that is made to a copy of it. `bytes` undefined: to an empty file. */
export function edited(bytes: Buffer | undefined, change: (copy: string) => void): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'keyhold-setup-'));
  try {
    const copy = join(folder, 'config');
    writeFileSync(copy, bytes ?? '', { mode: 0o600 });
    change(copy);
    return readFileSync(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Gives a file of git's new content the way git does it: under its `.lock` file, with the mode it had, in one step.
 * `after` undefined removes it. `file` must not be a symbolic link. Throws `bad_config`, and changes nothing, while
 * somebody else holds the lock, and where the file is not what it was when it was read (`before`).
 */
export function replaceFile(file: string, before: Buffer | undefined, after: Buffer | undefined): void {
  const lock = `${file}.lock`;
  const draft = openLock(file, lock);
  try {
    const now = readIfThere(file);
    if (now === undefined ? before !== undefined : !before?.equals(now)) {
      throw new KeyholdError('bad_config', `cannot change ${file}: it was changed meanwhile; try again`);
    }
    if (after === undefined) {
      rmSync(file);
      rmSync(lock);
      return;
    }
    for (let at = 0; at < after.length; ) at += writeSync(draft, after, at);
    fsyncSync(draft);
    if (now !== undefined) chmodSync(lock, statSync(file).mode & 0o7777);
    renameSync(lock, file);
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  } finally {
    closeSync(draft);
  }
}

/** The mode is what git gives a new file: the umask decides. */
function openLock(file: string, lock: string): number {
  try {
    return openSync(lock, 'wx', 0o666);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new KeyholdError('bad_config', `cannot change ${file}: ${lock} is there; try again when git has ended`);
  }
}
