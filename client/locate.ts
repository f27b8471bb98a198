import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { type Flaw, flawOf } from '../platform/own.ts';
import { computePlaces, linkedPlaces } from '../platform/places.ts';
import { KeyholdError } from '../protocol/errors.ts';
import { type Places, SOCKET_PATH_MAX, type Variables } from '../protocol/places.ts';

/**
 * Where a client finds things: the places of the agent that STATE/socket-folder names while its socket is there, else
 * those that the rules compute. Throws `bad_config` where no home folder is known, `socket_path_too_long` where the
 * socket's path does not fit its address.
 */
export function locate(environment: Variables = process.env): Places {
  return locateAll(environment).find(({ agentSocket }) => isSocket(agentSocket)) ?? locateAll(environment).at(-1)!;
}

/**
 * The places where an agent of this user may be, the likeliest first: one or two, the last of them by the rules. A
 * client that meets no listener at one tries the next. Throws as `locate` does.
 */
export function locateAll(environment: Variables = process.env): readonly Places[] {
  const computed = computePlaces(environment);
  if (!computed)
    throw new KeyholdError('bad_config', 'cannot find the agent: HOME is not set; set HOME or KEYHOLD_HOME');
  const linked = linkedPlaces(environment);
  const isSame = linked === undefined || linked.agentSocket === computed.agentSocket;
  const all = isSame ? [computed] : [linked, computed];
  for (const { agentSocket } of all) {
    if (Buffer.byteLength(agentSocket) <= SOCKET_PATH_MAX) continue;
    throw new KeyholdError(
      'socket_path_too_long',
      `cannot use the socket ${agentSocket}: its path is longer than ${SOCKET_PATH_MAX} bytes; set KEYHOLD_HOME or KEYHOLD_SOCKET to a shorter one`,
    );
  }
  return all;
}

function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    return false;
  }
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
  const words: Readonly<Record<Flaw, (path: string) => string>> = {
    link: () => 'it is a symbolic link; put a real folder there',
    kind: () => 'it is not a folder; move it away',
    owner: () => `it belongs to uid ${stats.uid}; set HOME or KEYHOLD_HOME to a folder of yours`,
    open: (path) => `others may enter it; run: chmod 700 ${path}`,
  };
  const flaw = flawOf(stats, 'folder');
  return flaw && words[flaw];
}
