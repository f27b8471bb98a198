import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildBundles } from '../scripts/build/bundles.ts';
import { compileServices } from '../scripts/build/services.ts';
import { temporaryFolder } from './temporary.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the bundles. */
    readonly bundles: string;
  }
}

/**
 * The programs in one file each, as the build makes them of the sources as they are now, and once for a whole run: that
 * starts several times as fast as the sources themselves. Answers how to take them away.
 */
export async function setup({ provide }: TestProject): Promise<() => void> {
  const { path, remove } = temporaryFolder('bundles');
  await buildBundles(join(import.meta.dirname, '..'), path);
  writeFileSync(join(path, 'services.json'), await compileServices(join(import.meta.dirname, '..')));
  provide('bundles', path);
  return remove;
}
