import { join } from 'node:path';
import type { Manifest } from '../../../protocol/services/index.ts';
import { compileServices } from '../../../scripts/build/services.ts';

/** The built-in manifests, compiled as the build does it. */
export const builtIn: readonly Manifest[] = JSON.parse(await compileServices(join(import.meta.dirname, '../../..')));

export function service(id: string): Manifest {
  const manifest = builtIn.find((one) => one.id === id);
  if (!manifest) throw new Error(`no built-in manifest ${id}`);
  return manifest;
}

/** A manifest of a few lines; what it does not say is the least that the schema takes. */
export function aManifest(parts: Partial<Manifest> = {}): Manifest {
  return {
    id: 'thing',
    title: 'Thing',
    hosts: [{ host: 'thing.example' }],
    scope: ['host'],
    kinds: [{ name: 'pat' }],
    auth: [{ scheme: 'bearer' }],
    ...parts,
  };
}
