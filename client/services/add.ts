import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Manifest } from '../../protocol/services/index.ts';

/**
 * Keeps a manifest as `ID.json` in the person's folder: 0600, and there either whole or not at all. Throws what the file
 * system throws.
 */
export function keepManifest(file: string, manifest: Manifest): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.new-${process.pid}`;
  const descriptor = openSync(fresh, 'wx', 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify(manifest, undefined, 2)}\n`);
    fsyncSync(descriptor);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
