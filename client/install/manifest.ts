import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { readIfThere, removeDrafts, writeWhole } from './files.ts';
import type { Ground } from './ground.ts';

/** What `keyhold install` made, so that `keyhold uninstall` can take back exactly that. */
export type Manifest = {
  readonly format: 1;
  readonly version: string;
  /** Name of the version's folder: `VERSION-HASH`. */
  readonly id: string;
  readonly data: string;
  readonly bin: string;
  /** Names linked into `bin`. */
  readonly names: readonly string[];
  /** Folders that were not there before the first install: removed at the end if they are empty then. */
  readonly absentBefore: readonly string[];
  readonly installedAt: string;
};

/** The manifest of this person's installation; undefined if nothing is installed. */
export function readManifest(ground: Ground): Manifest | undefined {
  const bytes = readIfThere(manifestPath(ground));
  if (!bytes) return undefined;
  try {
    const manifest = JSON.parse(bytes.toString('utf8'));
    if (manifest.format === 1) return manifest;
  } catch {
    // Falls through to the one message for a manifest that cannot be followed.
  }
  throw new KeyholdError(
    'bad_config',
    `cannot read ${manifestPath(ground)}: it is not a manifest of this version; move it away to install anew`,
  );
}

export function writeManifest(ground: Ground, manifest: Manifest): void {
  writeWhole(manifestPath(ground), `${JSON.stringify(manifest, null, 2)}\n`);
}

export function dropManifest(ground: Ground): void {
  removeDrafts(manifestPath(ground));
  rmSync(manifestPath(ground), { force: true });
}

/** Where the manifest lies. */
export function manifestPath({ places }: Ground): string {
  return join(places.state, 'install.json');
}
