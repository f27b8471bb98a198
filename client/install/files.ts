import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeNewFile } from '../../platform/durable.ts';
import { makeFolders } from '../../platform/folders.ts';

/** Makes a folder and those above it, each 0700 from its first moment. */
export function makeFolder(folder: string): void {
  makeFolders(folder);
}

/** Writes a file whole or not at all: 0600 unless told otherwise, durable before it takes its name. */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o600): void {
  makeFolder(dirname(path));
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  writeNewFile(draft, Buffer.from(content), mode);
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

/** Removes what a `writeWhole` or `linkWhole` of this path left that was cut off. */
export function removeDrafts(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) return;
  const isDraft = (name: string) => name.startsWith(`${basename(path)}.`) && /\.[0-9a-f]{8}$/.test(name);
  for (const name of readdirSync(folder).filter(isDraft)) rmSync(join(folder, name), { force: true });
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
