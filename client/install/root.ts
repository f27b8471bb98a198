import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';

/** A copy of keyhold on disk: a clone, a folder of npm, or an installed version. */
export type Package = {
  readonly root: string;
  readonly version: string;
};

/** How far below the package's root our code lies: `scripts/`, `dist/lib/`, `client/install/`. */
const DEPTH_MAX = 2;

/**
 * The copy that this code runs from: the nearest folder above it whose package.json is keyhold's. It is looked for no
 * further up than our code can lie, because a folder above the package may be another user's. Throws `unsafe_place` where
 * there is none.
 */
export function ownPackage(from: string = import.meta.dirname): Package {
  let folder = from;
  for (let depth = 0; depth <= DEPTH_MAX; depth++, folder = dirname(folder)) {
    const version = versionIn(folder);
    if (version !== undefined) return { root: folder, version };
  }
  throw new KeyholdError('unsafe_place', `cannot find keyhold's own package.json above ${from}; run: npm ci`);
}

/** An executable of that copy, by its name. */
export function programOf({ root }: Package, name: string): string {
  return join(root, 'dist', 'bin', name);
}

/** Whether that copy was built with the N-API addon, which is what can tell systemd that the agent is ready. */
export function hasAddon({ root }: Package): boolean {
  return existsSync(join(root, 'dist', 'lib', 'keyhold.node'));
}

function versionIn(folder: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return name === 'keyhold' && typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
