import { lstatSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { linkWhole, removeDrafts } from './files.ts';
import type { Ground } from './ground.ts';

/** The link that every name goes through: turning it is the whole of an upgrade. */
export function currentLink({ data }: Ground): string {
  return join(data, 'current');
}

/** The installed program of that name, by the path that stays the same over upgrades. */
export function installedProgram(ground: Ground, name: string): string {
  return join(currentLink(ground), 'dist', 'bin', name);
}

/** Throws `denied` if one of the paths is taken by something that keyhold did not write. */
export function refuseForeign(ground: Ground, paths: readonly string[]): void {
  const foreign = paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) && !isOurLink(ground, path));
  if (foreign.length === 0) return;
  throw new KeyholdError(
    'denied',
    `cannot install: ${foreign.join(', ')} ${foreign.length === 1 ? 'was' : 'were'} not written by keyhold; move ${foreign.length === 1 ? 'it' : 'them'} away first`,
  );
}

/** Links a program under `bin`. True if something changed. */
export function linkName(ground: Ground, name: string): boolean {
  const path = join(ground.bin, name);
  const target = relative(ground.bin, installedProgram(ground, name));
  removeDrafts(path);
  if (isOurLink(ground, path) && readlinkSync(path) === target) return false;
  linkWhole(target, path);
  return true;
}

/** Removes a link if it is ours; anything else of that name stays. True if it is gone now. */
export function unlinkOurs(ground: Ground, path: string): boolean {
  removeDrafts(path);
  if (!isOurLink(ground, path)) return lstatSync(path, { throwIfNoEntry: false }) === undefined;
  rmSync(path);
  return true;
}

/** Whether a path is a symbolic link into keyhold's own data folder: nobody else makes such links. */
export function isOurLink({ data }: Ground, path: string): boolean {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return false;
  return resolve(dirname(path), readlinkSync(path)).startsWith(`${data}/`);
}
