import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those above it, each 0700 from its first moment. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Writes a file whole or not at all: 0600 unless told otherwise, durable before it takes its name. */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o600): void {
  makeFolder(dirname(path));
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  const file = openSync(draft, 'wx', mode);
  try {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}

/** Makes or turns a symbolic link in one step: whoever looks sees the old target or the new one. */
export function linkWhole(target: string, path: string): void {
  makeFolder(dirname(path));
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  symlinkSync(target, draft);
  renameSync(draft, path);
}

/** The file's bytes; undefined if there is none. */
export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Removes those of the folders that are empty, the innermost first. What holds something, or is gone, stays so. */
export function removeEmpty(folders: readonly string[]): void {
  for (const folder of [...folders].sort((one, other) => other.length - one.length)) {
    try {
      rmdirSync(folder);
    } catch {
      // Not empty, not there, or no folder: not ours to take away.
    }
  }
}

export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
