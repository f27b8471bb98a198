import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Handler } from '../../protocol/handler.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import type { Emit } from '../events/agent-event.ts';
import { IoDeadline } from '../io-deadline.ts';
import type { Native } from '../native/native.ts';
import { type Caller, callerIn, callerOf, whyRefused } from './caller.ts';
import { Connection, type StreamHandle, socketOptions } from './connection.ts';
import type { Direct } from './listen.ts';

/** Descriptors kept for everything but connections: the backend, its child, the log. */
const RESERVED_DESCRIPTORS = 40;
/** A connection that has done nothing for so long may be closed to let another in. In milliseconds. */
const EVICT_AFTER = 1_000;
/** Milliseconds that somebody who is turned away gets to say what nobody wants to hear. */
const TURNED_AWAY_FOR = 50;
/** How many of these may hold a descriptor of the reserve at once; the others are closed at once. */
const TURNED_AWAY_MAX = 8;
let turningAway = 0;
const unwanted = Buffer.allocUnsafeSlow(4_096);
/** What a newcomer hears when every connection is busy. */
const BUSY = 'status=unavailable\nmessage=too many connections at once; try again\n\n';

export type ReceptionParts = {
  readonly handlerFor: (caller: Caller) => Handler;
  readonly keep: SecretKeeper;
  readonly native: Native | undefined;
  readonly emit: Emit;
  /** Told of a caller that was turned away, because it is not its user's. */
  readonly turnedAway?: (caller: Caller) => void;
  /** Most connections at once; by default what the limit on descriptors allows. */
  readonly connectionsMax?: number;
};

/** Receives connections: asks the kernel who it is, keeps their number bounded, and starts their conversations. */
export class Reception {
  readonly #parts: ReceptionParts;
  readonly #max: number;
  readonly #uid = process.getuid!();
  readonly #open = new Set<Connection>();
  readonly #forget = (connection: Connection) => {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#onEmpty?.();
  };
  #onEmpty: (() => void) | undefined;

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
    this.#max = parts.connectionsMax ?? Math.max(16, descriptorLimit() - RESERVED_DESCRIPTORS);
  }

  get connections(): number {
    return this.#open.size;
  }

  /** Takes one connection over from the listener: node's stream of it, of which nothing has been read. */
  receive(handle: StreamHandle): void {
    this.#welcome(handle, callerOf(handle.fd, this.#parts.native, this.#uid), undefined);
  }

  /** Takes bare descriptors over, where there is the addon, and answers most of them before it returns. */
  readonly direct = (native: Native): Direct => {
    const peer = new Uint32Array(3);
    const fresh: Connection[] = [];
    return {
      native,
      peer,
      onConnection: (fd) => {
        const connection = this.#welcome(fd, callerIn(peer), native);
        if (connection) fresh.push(connection);
      },
      onTaken: () => {
        for (const connection of fresh) connection.settle();
        fresh.length = 0;
      },
    };
  };

  #welcome(source: StreamHandle | number, caller: Caller, native: Native | undefined): Connection | undefined {
    const refused = whyRefused(caller, this.#uid);
    if (refused !== undefined) {
      this.#parts.emit({ kind: 'refused', uid: caller.uid, pid: caller.pid });
      this.#parts.turnedAway?.(caller);
      turnAway(source, `status=denied\nmessage=${refused}\n\n`);
      return undefined;
    }
    if (this.#open.size >= this.#max && !this.#makeRoom()) {
      turnAway(source, BUSY);
      return undefined;
    }
    const connection = new Connection(this.#parts.handlerFor(caller), this.#parts.keep, this.#forget, native);
    this.#open.add(connection);
    connection.begin(source);
    return connection;
  }

  /** Answers what has arrived and closes everything, by force after `deadline` milliseconds. */
  async drain(deadline: number): Promise<void> {
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const connection of this.#open) connection.drain();
    const timer = new IoDeadline(deadline, () => {
      for (const connection of this.#open) connection.destroy();
    });
    await empty;
    timer.clear();
  }

  /** Closes the connection that has been idle for the longest, if that is long enough. */
  #makeRoom(): boolean {
    let oldest: Connection | undefined;
    for (const connection of this.#open) {
      if (connection.idle && (oldest === undefined || connection.usedAt < oldest.usedAt)) oldest = connection;
    }
    if (!oldest || performance.now() - oldest.usedAt < EVICT_AFTER) return false;
    oldest.destroy();
    return true;
  }
}

/** Says why and closes; a little later, because a close before the caller's request is read resets its connection. */
function turnAway(source: StreamHandle | number, words: string): void {
  const socket = new Socket({
    ...socketOptions(source),
    onread: {
      buffer: unwanted,
      callback: () => {
        unwanted.fill(0);
        socket.destroy();
        return true;
      },
    },
  } as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', () => socket.destroy());
  socket.write(words);
  if (turningAway === TURNED_AWAY_MAX) {
    socket.destroy();
    return;
  }
  turningAway++;
  const timer = setTimeout(() => socket.destroy(), TURNED_AWAY_FOR);
  socket.on('close', () => {
    clearTimeout(timer);
    turningAway--;
  });
  socket.on('end', () => socket.destroy());
  socket.resume();
}

/** The soft limit on open descriptors (getrlimit(2)); node raises it to the hard one at start. */
function descriptorLimit(): number {
  const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return line ? Number(line[1]) : 1_024;
}
