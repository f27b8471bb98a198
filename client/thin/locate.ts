import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { placesOf, SOCKET_PATH_MAX } from '../../protocol/places.ts';

/** Where an agent of this user would listen, and what could start one. */
export type Location = {
  readonly socket: string;
  /** The socket's folder. */
  readonly folder: string;
  /** The link that autostart runs (DESIGN §9), whether or not it is there; undefined without a state folder. */
  readonly autostart: string | undefined;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the place of the agent's socket by the environment's rules (protocol/places.ts). Throws `agent_unreachable`
 * where no home is known, and `socket_path_too_long`.
 */
export function locate(environment: Environment, uid: number): Location {
  // Only the socket and the state are looked for here, and these need no folder of settings.
  const places = placesOf({
    environment: { XDG_CONFIG_HOME: '/', ...environment },
    uid,
    isOwn: (path) => isPrivate(path, uid),
  });
  const given = environment['KEYHOLD_SOCKET'];
  const socket = places?.agentSocket ?? (given?.startsWith('/') ? given : undefined);
  if (socket === undefined) throw new KeyholdError('agent_unreachable', 'cannot find the agent: HOME is not set');
  if (Buffer.byteLength(socket) > SOCKET_PATH_MAX) {
    throw new KeyholdError(
      'socket_path_too_long',
      `cannot reach the agent: the path of its socket is longer than ${SOCKET_PATH_MAX} bytes`,
    );
  }
  return { socket, folder: dirname(socket), autostart: places && `${places.state}/autostart` };
}

/**
 * Looks whether the socket's folder can be trusted: a real folder, ours, closed to everybody else. False if there is
 * none, so that no agent is there either. Throws `unsafe_place`, with the mend.
 */
export function checkFolder(folder: string, uid: number): boolean {
  const stats = look(folder);
  if (!stats) return false;
  if (!stats.isDirectory()) throw unsafe(`its folder must not be a link: ${folder}`);
  if (stats.uid !== uid) throw unsafe(`its folder belongs to somebody else: ${folder}`);
  if ((stats.mode & 0o077) !== 0) throw unsafe(`others may enter its folder; run: chmod 700 ${folder}`);
  return true;
}

/** Whether `folder` exists, is no link, belongs to `uid` and is closed to everybody else. */
export function isPrivate(folder: string, uid: number): boolean {
  const stats = look(folder);
  return stats?.isDirectory() === true && stats.uid === uid && (stats.mode & 0o077) === 0;
}

/** What lies at `path` itself, links not followed; undefined if nothing does or nobody may look. */
export function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

function unsafe(rule: string): KeyholdError {
  return new KeyholdError('unsafe_place', `refused to ask the agent: ${rule}`);
}
