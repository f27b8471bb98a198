/** Where keyhold keeps its files and sockets: the rules, without any I/O. PROTOCOL.md §1. */

/** Longest path that fits a Unix socket's address with its final NUL (unix(7)). */
export const SOCKET_PATH_MAX = 107;

/** The symbolic link in the state folder that names the folder of the running agent's sockets. */
export const SOCKET_FOLDER_LINK = 'socket-folder';

export type Places = {
  readonly config: string;
  readonly state: string;
  /** The folder of the sockets. */
  readonly run: string;
  readonly agentSocket: string;
  /** Where the agent's HTTP views are. */
  readonly adminSocket: string;
  /** Where the agent publishes its events. */
  readonly eventsSocket: string;
};

/** The folders that the environment alone decides. `run` is set with `KEYHOLD_HOME` only. */
export type Folders = { readonly config: string; readonly state: string; readonly run: string | undefined };

export type Variables = Readonly<Record<string, string | undefined>>;

/** What the file system and the password database say about a user. */
export type UserFacts = {
  /** The uid as seen outside a user namespace of ours (`uidOutside`). */
  readonly uid: number;
  /** The home folder that the password database has for `uid`; undefined where it has none. */
  readonly home: string | undefined;
  /** Whether a folder exists, belongs to us, is no link, and is closed to others (0700). */
  readonly isOwn: (folder: string) => boolean;
  /** A folder's path without symbolic links; of a folder that does not exist, that of its nearest parent and the rest. */
  readonly realPath: (folder: string) => string;
};

export type PlacesQuestion = { readonly environment: Variables } & UserFacts;

/**
 * The places of a user as the rules have them: one agent per user and state folder, whatever XDG_RUNTIME_DIR says.
 * Undefined without `HOME` where `HOME` would be needed.
 */
export function placesOf({ environment, ...user }: PlacesQuestion): Places | undefined {
  const folders = foldersOf(environment);
  return folders && placesIn(folders, folders.run ?? socketFolderOf(folders.state, user), environment);
}

/**
 * The config and state folders. `KEYHOLD_HOME` is one root for all; else the XDG folders. Relative values of these
 * variables are ignored, as the XDG base directory specification asks.
 */
export function foldersOf(environment: Variables): Folders | undefined {
  const root = absolute(environment['KEYHOLD_HOME']);
  if (root) return { config: `${root}/config`, state: `${root}/state`, run: `${root}/run` };
  const home = absolute(environment['HOME']);
  const config = absolute(environment['XDG_CONFIG_HOME']) ?? (home && `${home}/.config`);
  const state = absolute(environment['XDG_STATE_HOME']) ?? (home && `${home}/.local/state`);
  if (!config || !state) return undefined;
  return { config: `${config}/keyhold`, state: `${state}/keyhold`, run: undefined };
}

/** The places with the sockets in `run`, but for the agent's where `KEYHOLD_SOCKET` names it. */
export function placesIn({ config, state }: Folders, run: string, environment: Variables): Places {
  return {
    config,
    state,
    run,
    agentSocket: absolute(environment['KEYHOLD_SOCKET']) ?? `${run}/agent.sock`,
    adminSocket: `${run}/admin.sock`,
    eventsSocket: `${run}/events.sock`,
  };
}

/**
 * The folder of the sockets: `/run/user/UID/keyhold` for the default state folder, `/run/user/UID/keyhold/d.HASH` for
 * any other, `STATE/run` where `/run/user/UID` is not there or not ours alone. Never below /tmp by itself.
 */
export function socketFolderOf(state: string, { uid, home, isOwn, realPath }: UserFacts): string {
  const runtime = `/run/user/${uid}`;
  if (!isOwn(runtime)) return `${state}/run`;
  const real = realPath(state);
  const isDefault = home !== undefined && real === realPath(`${home}/.local/state/keyhold`);
  return isDefault ? `${runtime}/keyhold` : `${runtime}/keyhold/d.${folderHash(real)}`;
}

/** FNV-1a with 64 bits over a path's bytes, as 16 hex digits (docs/decisions/0025). It separates; it protects nothing. */
export function folderHash(path: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(path)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

/**
 * The uid outside, by the text of /proc/self/uid_map (user_namespaces(7)): a range of exactly one id is how a user maps
 * himself into a namespace of his own. A longer range belongs to a whole system inside (a container), whose uids count
 * as they are. `isMapped` tells the first case.
 */
export function uidOutside(uidMap: string, uid: number): { readonly uid: number; readonly isMapped: boolean } {
  for (const line of uidMap.split('\n')) {
    const [inside = -1, outside = -1, count = 0] = line.trim().split(/ +/).map(Number);
    if (count === 1 && inside === uid) return { uid: outside, isMapped: true };
  }
  return { uid, isMapped: false };
}

/** The home folder of `uid` by the text of /etc/passwd (passwd(5)); undefined if it has no line or no absolute path. */
export function homeIn(passwd: string, uid: number): string | undefined {
  for (const line of passwd.split('\n')) {
    const [, , id, , , home = ''] = line.split(':');
    if (id === String(uid)) return absolute(home);
  }
  return undefined;
}

/** The name beside a socket's that the agent binds and renames once it listens. It stays the kernel's name for it. */
export function unpublished(socket: string): string {
  return `${socket.slice(0, socket.lastIndexOf('/'))}/.new`;
}

/** An absolute path without slashes at its end; undefined for any other value. */
function absolute(value: string | undefined): string | undefined {
  return value?.startsWith('/') ? value.replace(/(?<=.)\/+$/, '') : undefined;
}
