/** Where keyhold keeps its things: the rules, without looking at any file. PROTOCOL.md §1. */

/** Longest path that fits a Unix socket's address with its final NUL (unix(7)). */
export const SOCKET_PATH_MAX = 107;

export type Places = {
  readonly config: string;
  readonly state: string;
  /** The folder of the sockets. */
  readonly run: string;
  readonly agentSocket: string;
  /** Where the agent's HTTP views are. */
  readonly adminSocket: string;
  /** Where it tells what happens. */
  readonly eventsSocket: string;
};

export type PlacesQuestion = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** Whether a folder exists, belongs to `uid`, is no link, and is closed to everybody else (0700). */
  readonly isOwn: (folder: string) => boolean;
};

/**
 * The places of a user. `KEYHOLD_HOME` is one root for all; else the XDG folders; sockets never fall back to /tmp.
 * Relative values of these variables are ignored, as the XDG base directory specification asks. Undefined without
 * `HOME` where `HOME` would be needed.
 */
export function placesOf({ environment, uid, isOwn }: PlacesQuestion): Places | undefined {
  const absolute = (name: string) => {
    const value = environment[name];
    return value?.startsWith('/') ? value.replace(/(?<=.)\/+$/, '') : undefined;
  };
  const withSocket = (places: Pick<Places, 'config' | 'state' | 'run'>): Places => ({
    ...places,
    agentSocket: absolute('KEYHOLD_SOCKET') ?? `${places.run}/agent.sock`,
    adminSocket: `${places.run}/admin.sock`,
    eventsSocket: `${places.run}/events.sock`,
  });

  const root = absolute('KEYHOLD_HOME');
  if (root) return withSocket({ config: `${root}/config`, state: `${root}/state`, run: `${root}/run` });

  const home = absolute('HOME');
  const config = absolute('XDG_CONFIG_HOME') ?? (home && `${home}/.config`);
  const state = absolute('XDG_STATE_HOME') ?? (home && `${home}/.local/state`);
  if (!config || !state) return undefined;

  const runtime = absolute('XDG_RUNTIME_DIR') ?? (isOwn(`/run/user/${uid}`) ? `/run/user/${uid}` : undefined);
  return withSocket({
    config: `${config}/keyhold`,
    state: `${state}/keyhold`,
    run: runtime ? `${runtime}/keyhold` : `${state}/keyhold/run`,
  });
}

/** The name beside a socket's that the agent binds and renames once it listens. It stays the kernel's name for it. */
export function unpublished(socket: string): string {
  return `${socket.slice(0, socket.lastIndexOf('/'))}/.new`;
}
