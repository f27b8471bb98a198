import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolders } from '../../platform/folders.ts';
import { flawOf } from '../../platform/own.ts';
import { KeyholdError } from '../../protocol/errors.ts';

const STICKY = 0o1000;

/**
 * Makes a folder that is ours alone, or makes sure that it is: a real folder, owned by `uid`, mode 0700, in one where
 * not just anybody can put another in its place. The umask is 077, so it is never wider, not for a moment. Throws
 * `unsafe_place` with the mend.
 */
export function ensurePrivateFolder(folder: string, uid = process.getuid!()): void {
  makeFolders(folder);
  const found = lstatSync(folder);
  const unsafe = (why: string, mend: string) =>
    new KeyholdError('unsafe_place', `cannot use ${folder}: ${why}; ${mend}`);
  const flaw = flawOf(found, 'folder', uid);
  if (flaw === 'link' || flaw === 'kind') throw unsafe('it is not a real folder', 'move it away');
  if (flaw === 'owner') throw unsafe(`it belongs to uid ${found.uid}`, 'choose another place by KEYHOLD_HOME');
  if (flaw === 'open') throw unsafe('others can get in', `run: chmod 0700 ${folder}`);
  const parent = dirname(folder);
  const { mode } = statSync(parent);
  if ((mode & 0o002) !== 0 && (mode & STICKY) === 0) {
    throw unsafe('anybody can put another folder in its place', `run: chmod o-w ${parent}`);
  }
}
