import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { replaceDurably } from '../../platform/durable.ts';
import type { Manifest } from '../../protocol/services/index.ts';

/**
 * Keeps a manifest as `ID.json` in the person's folder: 0600, and there either whole or not at all. Throws what the file
 * system throws.
 */
export function keepManifest(file: string, manifest: Manifest): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  replaceDurably(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
}
