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
  symlinkSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KeyholdError } from '../protocol/errors.ts';
import { type Flaw, flawOf } from './own.ts';

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

/** Replaces `file` by `content`: a reader, also after a power cut, sees the old or the new. */
export function replaceDurably(file: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = temporaryBeside(file);
  try {
    writeNewFile(temporary, Buffer.from(content), mode);
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

/** Makes `path` a symbolic link to `target`, or turns it, in one step: a reader sees the old target or the new one. */
export function replaceLink(path: string, target: string): void {
  const temporary = temporaryBeside(path);
  try {
    symlinkSync(target, temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
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
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (!stats) return undefined;
  const rules: Readonly<Record<Flaw, string>> = {
    link: 'it is no regular file; move it away',
    kind: 'it is no regular file; move it away',
    owner: `it belongs to uid ${stats.uid}, not to you; move it away`,
    open: `its mode is 0${(stats.mode & 0o777).toString(8)} and others may open it; run: chmod 600 ${file}`,
  };
  const flaw = flawOf(stats, 'file');
  if (flaw) throw new KeyholdError('unsafe_place', `cannot use ${file}: ${rules[flaw]}`);
  return stats.size;
}
