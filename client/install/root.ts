import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';

/** A copy of keyhold on disk: a clone, a folder of npm, or an installed version. */
export type Package = {
  readonly root: string;
  readonly version: string;
};

/** The copy that this code runs from: the nearest folder above it whose package.json is keyhold's. */
export function ownPackage(from: string = import.meta.dirname): Package {
  for (let folder = from; ; folder = dirname(folder)) {
    const version = versionIn(folder);
    if (version !== undefined) return { root: folder, version };
    if (folder === dirname(folder)) {
      throw new KeyholdError('unsafe_place', `cannot find keyhold's own package.json above ${from}`);
    }
  }
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
