import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { writeNewFile } from '../../platform/durable.ts';
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
 *
 * The lock is a second name of a draft that carries our process's number: a lock that a killed one of ours has left is
 * known by that, and goes. Nobody else would take it away, and git itself would wait for it for ever.
 */
export function replaceFile(file: string, before: Buffer | undefined, after: Buffer | undefined): void {
  const lock = `${file}.lock`;
  removeLeftovers(file, lock);
  const draft = `${file}${DRAFT}${process.pid}`;
  try {
    writeDraft(draft, after ?? Buffer.alloc(0));
    takeLock(file, lock, draft);
    try {
      const now = readIfThere(file);
      if (now === undefined ? before !== undefined : !before?.equals(now)) {
        throw new KeyholdError('bad_config', `cannot change ${file}: it was changed meanwhile; try again`);
      }
      if (now !== undefined) dressAs(file, lock);
      if (after !== undefined) renameSync(lock, file);
      else rmSync(file);
    } finally {
      rmSync(lock, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Gives `draft` the owner, group and mode of `file`, or throws where that is not ours to give. */
function dressAs(file: string, draft: string): void {
  const { uid, gid, mode } = statSync(file);
  const own = statSync(draft);
  if (own.uid !== uid || own.gid !== gid) {
    try {
      chownSync(draft, uid, gid);
    } catch (error) {
      throw new KeyholdError('bad_config', `cannot change ${file}: its owner (${uid}:${gid}) would be another then`, {
        cause: error,
      });
    }
  }
  // Behind chown(2), which takes bits of the mode away.
  chmodSync(draft, mode & 0o7777);
}

/** What stands between a file's name and the number of the process that drafts it. */
const DRAFT = '.keyhold-';

/** The mode is what git gives a new file: the umask decides. */
function writeDraft(draft: string, bytes: Buffer): void {
  writeNewFile(draft, bytes, 0o666);
}

function takeLock(file: string, lock: string, draft: string): void {
  try {
    linkSync(draft, lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new KeyholdError('bad_config', `cannot change ${file}: ${lock} is there; try again when git has ended`);
  }
}

/** Removes what processes of ours that were killed have left: their drafts, and the lock if it is one of these. */
export function removeLeftovers(file: string, lock = `${file}.lock`): void {
  const folder = dirname(file);
  const prefix = `${basename(file)}${DRAFT}`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix) || isAnother(Number(name.slice(prefix.length)))) continue;
    const draft = join(folder, name);
    const held = lstatSync(lock, { throwIfNoEntry: false });
    if (held !== undefined && held.ino === lstatSync(draft).ino) rmSync(lock);
    rmSync(draft);
  }
}

/** Whether another process of that number lives: what carries our own number is from one that had it before us. */
function isAnother(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
