import { lstatSync, type Stats } from 'node:fs';

/** Bits of a mode that let the group or others in. */
export const OTHERS = 0o077;

/** Why a file or folder is not its user's alone: a symbolic link, another kind of thing, another's, or open to others. */
export type Flaw = 'link' | 'kind' | 'owner' | 'open';

/** What keeps a file or folder from being `uid`'s alone, by what lstat(2) told of it; undefined where nothing does. */
export function flawOf(stats: Stats, kind: 'file' | 'folder' | 'any', uid = process.getuid!()): Flaw | undefined {
  if (stats.isSymbolicLink()) return 'link';
  const isOfKind = kind === 'any' || (kind === 'folder' ? stats.isDirectory() : stats.isFile());
  if (!isOfKind) return 'kind';
  if (stats.uid !== uid) return 'owner';
  return (stats.mode & OTHERS) === 0 ? undefined : 'open';
}

/** Whether `folder` is a real folder of ours that no other user may enter. False where it is not there. */
export function isOwnFolder(folder: string): boolean {
  try {
    return flawOf(lstatSync(folder), 'folder') === undefined;
  } catch {
    return false;
  }
}
