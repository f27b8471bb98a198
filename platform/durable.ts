import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyholdError } from '../protocol/errors.ts';

/** A name beside `file` that nothing else uses: what is built there is linked to its real name when it is whole. */
export function temporaryBeside(file: string): string {
  return join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}.new`);
}

/** Removes what processes that were killed while they created `file` have left beside it. */
export function removeLeftovers(file: string): void {
  const leftover = /^\.(.+)\.[0-9a-f]{12}\.new(-wal|-journal)?$/;
  for (const name of readdirSync(dirname(file))) {
    if (leftover.exec(name)?.[1] === basename(file)) rmSync(join(dirname(file), name), { force: true });
  }
}

/**
 * Creates `file` with `bytes` and waits until they are on the disk; its name is not durable before `syncFolder`. Throws the
 * system's error: EEXIST rather than replace a file, ENOSPC with the part left there that was written.
 */
export function writeNewFile(file: string, bytes: Uint8Array, mode = 0o600): void {
  const descriptor = openSync(file, 'wx', mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Creates `file` (0600) with `bytes`, whole and durable or not at all. Throws EEXIST rather than replace one. */
export function createDurably(file: string, bytes: Uint8Array): void {
  const temporary = temporaryBeside(file);
  try {
    writeNewFile(temporary, bytes);
    linkSync(temporary, file);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(file));
}

/** Replaces `file` (0600) by `text`: whoever looks, also after a power cut, sees the old or the new. */
export function replaceDurably(file: string, text: string): void {
  const temporary = temporaryBeside(file);
  try {
    writeNewFile(temporary, Buffer.from(text));
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(file));
}

/** The same for a text in pieces: they are written one after the other, and the event loop does not wait for the disk. */
export async function replaceInPieces(file: string, pieces: Iterable<string>): Promise<void> {
  const temporary = temporaryBeside(file);
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    for (const piece of pieces) await handle.writeFile(piece);
    await handle.sync();
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  await using folder = await open(dirname(file), 'r');
  await folder.sync();
}

/** Makes names in `folder` survive a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The size of `file` in bytes, or undefined if there is none. Throws `unsafe_place` for what is no regular file of
 * this user with mode 0600 or stricter: whoever else could write it could put a key of their own there.
 */
export function sizeOfOwnFile(file: string): number | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (!stat) return undefined;
  const refuse = (rule: string) => new KeyholdError('unsafe_place', `cannot use ${file}: ${rule}`);
  if (!stat.isFile()) throw refuse('it is no regular file; move it away');
  const uid = process.geteuid?.();
  if (uid !== undefined && stat.uid !== uid) throw refuse(`it belongs to uid ${stat.uid}, not to you; move it away`);
  if ((stat.mode & 0o077) !== 0) {
    throw refuse(`its mode is 0${(stat.mode & 0o777).toString(8)} and others may open it; run: chmod 600 ${file}`);
  }
  return stat.size;
}
