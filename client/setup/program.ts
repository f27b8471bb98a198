import { accessSync, constants, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import type { Ground } from '../install/ground.ts';
import { type Package, programOf } from '../install/root.ts';

/**
 * The path under which a tool shall find a program of ours: the installed name, which outlives upgrades. With `here` it
 * is this very copy's. Exit 2 where nothing is installed, because a clone or an npx folder goes away and leaves the
 * tool without its helper.
 */
export function programFor(ground: Ground, own: Package, name: string, tool: string, here: boolean): string {
  const installed = join(ground.bin, name);
  const path = here ? programOf(own, name) : installed;
  if (!here && !isInstalled(ground, installed)) {
    throw new CommandFailure(
      2,
      `cannot set up ${tool}: keyhold is not installed, and ${tool} would lose it together with ${own.root}; run: keyhold install (or give --here to point there all the same)`,
    );
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new CommandFailure(1, `cannot set up ${tool}: ${path} is no program that can be run; run: npm run build`);
  }
  return path;
}

/** A path as one word of a POSIX shell. */
export function shellWord(path: string): string {
  return /^[A-Za-z0-9_/.,:=@%+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function isInstalled({ data }: Ground, path: string): boolean {
  try {
    return realpathSync(path).startsWith(`${realpathSync(data)}/versions/`);
  } catch {
    return false;
  }
}
