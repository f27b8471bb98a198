import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { KeyholdError } from '../protocol/errors.ts';
import { type Places, placesOf, SOCKET_PATH_MAX } from '../protocol/places.ts';

/** Bits of a mode that let the group or everybody in. */
export const OTHERS = 0o077;

/**
 * Where a client finds things. Throws `bad_config` where no home folder is known, `socket_path_too_long` where the
 * socket's path does not fit its address.
 */
export function locate(environment: Readonly<Record<string, string | undefined>> = process.env): Places {
  const places = placesOf({ environment, uid: process.getuid!(), isOwn });
  if (!places) throw new KeyholdError('bad_config', 'cannot find the agent: HOME is not set; set HOME or KEYHOLD_HOME');
  if (Buffer.byteLength(places.agentSocket) > SOCKET_PATH_MAX) {
    throw new KeyholdError(
      'socket_path_too_long',
      `cannot use the socket ${places.agentSocket}: its path is longer than ${SOCKET_PATH_MAX} bytes; set KEYHOLD_HOME or KEYHOLD_SOCKET to a shorter one`,
    );
  }
  return places;
}

/** Whether `folder` is a real folder of ours that nobody else may enter. */
export function isOwn(folder: string): boolean {
  const stats = look(folder);
  return stats !== undefined && whyNotOwn(stats) === undefined;
}

/**
 * Checks the folder of a socket before anything is sent: whoever may write there could have put his own socket in our
 * agent's place. Throws `unsafe_place`; answers false where there is no folder, and so no agent.
 */
export function checkSocketFolder(socket: string): boolean {
  const folder = dirname(socket);
  const stats = look(folder);
  if (!stats) return false;
  const why = whyNotOwn(stats);
  if (why) {
    // A folder that the person has named may be anybody's, such as /tmp: closing it could do harm.
    const isNamed = socket === process.env['KEYHOLD_SOCKET'];
    const rule = isNamed
      ? `${why(folder).split('; ')[0]}; set KEYHOLD_SOCKET to a socket in a folder that is yours alone`
      : why(folder);
    throw new KeyholdError('unsafe_place', `cannot trust the socket folder ${folder}: ${rule}`);
  }
  return true;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new KeyholdError('unsafe_place', `cannot look at ${path}: ${code}`, { cause: error });
  }
}

/** Why a folder is not ours alone, with the mend; undefined if it is. */
export function whyNotOwn(stats: Stats): ((path: string) => string) | undefined {
  if (stats.isSymbolicLink()) return () => 'it is a symbolic link; put a real folder there';
  if (!stats.isDirectory()) return () => 'it is not a folder; remove it';
  if (stats.uid !== process.getuid!()) return () => `it belongs to uid ${stats.uid}; remove it or set KEYHOLD_HOME`;
  if ((stats.mode & OTHERS) !== 0) return (path) => `others may enter it; run: chmod 700 ${path}`;
  return undefined;
}
