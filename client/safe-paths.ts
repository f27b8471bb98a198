import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Identity, whyUnsafe } from '../protocol/ownership.ts';

/** Folders above a working directory that are looked at. */
const DEPTH_MAX = 64;

/** The user and group that this process acts as. */
export function ownIdentity(): Identity {
  return { uid: process.geteuid!(), gid: process.getegid!() };
}

/** Why another user could change what `path` leads to, in the words of `whyUnsafe` or of the system; undefined where it is safe. */
export function whyUnsafePath(path: string): string | undefined {
  try {
    return whyUnsafe(statSync(path), ownIdentity());
  } catch (error) {
    return `it cannot be looked at (${(error as NodeJS.ErrnoException).code})`;
  }
}

/** Where looking upward ended because another user could have put something there, and why. */
export type Boundary = { readonly path: string; readonly why: string };

/**
 * `folder` and those above it, the nearest first, as far as no other user could have put something into them. `boundary` is
 * the first folder that is not among them; undefined where the walk reached `/`.
 */
export function safeFoldersFrom(folder: string): {
  readonly folders: readonly string[];
  readonly boundary: Boundary | undefined;
} {
  const folders: string[] = [];
  for (let at = folder; folders.length < DEPTH_MAX; at = dirname(at)) {
    const why = whyUnsafePath(at);
    if (why !== undefined) return { folders, boundary: { path: at, why } };
    folders.push(at);
    if (dirname(at) === at) break;
  }
  return { folders, boundary: undefined };
}

/**
 * The nearest plain file `name` in `folder` or above it. A file that another user could have put there is not taken, and
 * nothing above it is: `refused` then says which and why.
 */
export function findUpward(
  folder: string,
  name: string,
): { readonly file?: string | undefined; readonly refused?: Boundary | undefined } {
  const { folders, boundary } = safeFoldersFrom(folder);
  for (const at of folders) {
    const file = join(at, name);
    if (!isFile(file)) continue;
    const why = whyUnsafePath(file);
    return why === undefined ? { file } : { refused: { path: file, why } };
  }
  if (!boundary) return {};
  for (let at = boundary.path, depth = 0; depth < DEPTH_MAX; at = dirname(at), depth++) {
    const file = join(at, name);
    if (isFile(file)) return { refused: { path: file, why: `of ${boundary.path}, ${boundary.why}` } };
    if (dirname(at) === at) break;
  }
  return {};
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
