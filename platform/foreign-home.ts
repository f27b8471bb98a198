import { lstatSync } from 'node:fs';
import { KeyholdError } from '../protocol/errors.ts';
import { foldersOf, type Variables } from '../protocol/places.ts';

/**
 * Refuses to write as root below a HOME that belongs to another user: what root makes there that user can neither read
 * nor replace. KEYHOLD_HOME, `--as-root` (`isAllowed`) and a state folder that root made there before allow it: jobs in
 * containers run as root with such a HOME. Throws `unsafe_place`. Does nothing for any other user.
 */
export function refuseForeignHome(environment: Variables, isAllowed: boolean, uid = process.getuid!()): void {
  if (uid !== 0 || isAllowed || environment['KEYHOLD_HOME']?.startsWith('/')) return;
  const home = environment['HOME'];
  const owner = home?.startsWith('/') ? ownerOf(home) : undefined;
  if (owner === undefined || owner === 0) return;
  const state = foldersOf(environment)?.state;
  if (state !== undefined && ownerOf(state) === 0) return;
  throw new KeyholdError(
    'unsafe_place',
    `cannot write below ${home} as root: it belongs to uid ${owner}; set HOME or KEYHOLD_HOME to a folder of root's, or add: --as-root`,
  );
}

function ownerOf(path: string): number | undefined {
  try {
    return lstatSync(path).uid;
  } catch {
    return undefined;
  }
}
