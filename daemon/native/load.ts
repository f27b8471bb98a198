import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Native } from './native.ts';

/** Beside the bundle, or where the build puts it when the sources run as they are. */
const usual = [
  join(import.meta.dirname, 'keyhold.node'),
  join(import.meta.dirname, '../../dist/lib/keyhold.node'),
] as const;

/** The addon, where the build could make it; undefined where it is missing or is no addon for this machine. */
export function loadNative(path: string | undefined = usual.find(isThere)): Native | undefined {
  if (path === undefined) return undefined;
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch {
    return undefined;
  }
}

/** A child's sandbox throws for a path outside its folder: nothing can be loaded from there. */
function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}
