import { chmodSync, closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { KeyholdError } from '../../protocol/errors.ts';

/**
 * Gives a file of git's new content the way git does it: under its `.lock` file, with the mode it had, in one step.
 * `file` must not be a symbolic link. Throws `bad_config` while somebody else holds the lock.
 */
export function restoreFile(file: string, bytes: Buffer): void {
  const lock = `${file}.lock`;
  const { mode } = statSync(file);
  let draft: number;
  try {
    draft = openSync(lock, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new KeyholdError('bad_config', `cannot change ${file}: ${lock} is there; try again when git has ended`);
  }
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(draft, bytes, at);
    fsyncSync(draft);
    closeSync(draft);
    chmodSync(lock, mode & 0o7777);
    renameSync(lock, file);
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  }
}
