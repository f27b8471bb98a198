import { existsSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeLeftovers, replaceDurably, replaceLink } from '../../platform/durable.ts';
import { makeFolders } from '../../platform/folders.ts';

/** Makes a folder and those above it, each 0700 from its first moment. */
export function makeFolder(folder: string): void {
  makeFolders(folder);
}

/** Writes a file whole or not at all, in a folder that need not be there: 0600 unless told otherwise, and durable. */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o600): void {
  makeFolder(dirname(path));
  replaceDurably(path, content, mode);
}

/** Makes or turns a symbolic link in one step: whoever looks sees the old target or the new one. */
export function linkWhole(target: string, path: string): void {
  makeFolder(dirname(path));
  replaceLink(path, target);
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

/** Removes what a `writeWhole` or `linkWhole` of this path left that was cut off. */
export function removeDrafts(path: string): void {
  if (existsSync(dirname(path))) removeLeftovers(path);
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
