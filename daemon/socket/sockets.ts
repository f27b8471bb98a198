import { type FSWatcher, rmdirSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { linkedFolder, writeSocketFolder } from '../../platform/places.ts';
import type { Places } from '../../protocol/places.ts';
import { type Purpose, purposes } from '../successor.ts';
import type { StreamHandle } from './connection.ts';
import { ensurePrivateFolder } from './folders.ts';
import { type Direct, type InheritedSockets, type Listener, listen } from './listen.ts';
import { writeHolder } from './lock.ts';

/** Milliseconds between two looks whether our socket is still where clients look for it. */
const REACHABLE_PERIOD = 5_000;

export type SocketsOptions = {
  readonly inherited: InheritedSockets;
  /** Takes a connection of each kind. */
  readonly take: Readonly<Record<Purpose, (handle: StreamHandle) => void>>;
  readonly direct: (() => Direct) | undefined;
  /** Called where one of the sockets beside the agent's cannot be had: the agent serves without it. */
  readonly withoutSocket: (path: string, error: unknown) => void;
};

/** The agent's listening sockets, all in one folder, which the state folder names. */
export class Sockets {
  readonly #options: SocketsOptions;
  #listeners: Partial<Record<Purpose, Listener>> = {};
  #folder = '';
  #watcher: FSWatcher | undefined;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** The descriptors that listen, to be handed on. */
  get descriptors(): Readonly<Partial<Record<Purpose, number>>> {
    return Object.fromEntries(Object.entries(this.#listeners).map(([purpose, { fd }]) => [purpose, fd]));
  }

  /** Whether a client still finds the agent's socket. */
  get isReachable(): boolean {
    return this.#listeners.agent?.isReachable() ?? false;
  }

  /**
   * Listens at `places`, and lets the state folder name them. What an agent before us handed on and what lies elsewhere
   * is served until its queue is empty, and its path removed: so an agent of 0.1 goes on in the new place. Throws as
   * `listen` does for the agent's own socket.
   */
  async open(places: Places): Promise<void> {
    const { inherited, take, direct, withoutSocket } = this.#options;
    const elsewhere: Listener[] = [];
    const paths = { agent: places.agentSocket, admin: places.adminSocket, events: places.eventsSocket };
    // One behind the other: each is bound under the same name first.
    for (const purpose of purposes) {
      const given = inherited[purpose];
      const path = paths[purpose];
      const isHere = given === undefined || !given.handedOn || given.path === undefined || given.path === path;
      try {
        if (!isHere) elsewhere.push(await listen(given.path!, given, take[purpose]));
        const use = purpose === 'agent' ? direct?.() : undefined;
        this.#listeners[purpose] = await listen(path, isHere ? given : undefined, take[purpose], use);
      } catch (error) {
        if (purpose === 'agent') throw error;
        withoutSocket(path, error);
      }
    }
    const first = inherited.agent;
    this.#publish(places, first && !first.handedOn && first.path ? first.path : places.agentSocket);
    for (const one of elsewhere) await one.close();
  }

  /** Listens at `places` in place of a folder that is gone, with what is in memory kept. */
  async move(places: Places): Promise<void> {
    const { take, direct, withoutSocket } = this.#options;
    const before = Object.values(this.#listeners);
    this.#listeners = {};
    for (const one of before) await one.close();
    ensurePrivateFolder(places.run);
    this.#listeners.agent = await listen(places.agentSocket, undefined, take.agent, direct?.());
    for (const [purpose, path] of [
      ['admin', places.adminSocket],
      ['events', places.eventsSocket],
    ] as const) {
      const listener = await listen(path, undefined, take[purpose]).catch((error) => withoutSocket(path, error));
      if (listener) this.#listeners[purpose] = listener;
    }
    this.#publish(places, places.agentSocket);
  }

  /** Calls `unreachable` soon after our socket's path leads elsewhere; at once when its folder is taken away. */
  watch(unreachable: () => void): void {
    const look = () => {
      if (!this.isReachable) unreachable();
    };
    setInterval(look, REACHABLE_PERIOD).unref();
    this.#onFolderChange = look;
    this.#watchFolder();
  }

  /** Stops listening, and removes a folder that only one state folder uses. */
  async close(handedOn: boolean): Promise<void> {
    this.#watcher?.close();
    for (const purpose of [...purposes].reverse()) await this.#listeners[purpose]?.close(handedOn);
    if (handedOn || this.#options.inherited.agent?.handedOn === false) return;
    try {
      if (/\/d\.[0-9a-f]{16}$/.test(this.#folder)) rmdirSync(this.#folder);
    } catch {
      // Something else lies in it.
    }
  }

  #onFolderChange: (() => void) | undefined;

  #publish(places: Places, socket: string): void {
    this.#folder = dirname(socket);
    writeHolder(places.state, { pid: process.pid, socketFolder: this.#folder });
    // A socket that KEYHOLD_SOCKET names otherwise is found by that variable alone.
    const isUsual = basename(socket) === 'agent.sock';
    if (isUsual && linkedFolder(places.state) !== this.#folder) writeSocketFolder(places.state, this.#folder);
    this.#watchFolder();
  }

  /** inotify(7) on a folder that the system removes at the last logout: it tells of that at once. */
  #watchFolder(): void {
    this.#watcher?.close();
    if (!this.#onFolderChange || !this.#folder.startsWith('/run/')) return;
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, this.#onFolderChange);
      // No watch can be had: the look every few seconds stays.
      this.#watcher.on('error', () => {});
    } catch {
      this.#watcher = undefined;
    }
  }
}
