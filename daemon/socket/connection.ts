import { Socket } from 'node:net';
import { Conversation, type Transport } from '../../protocol/conversation.ts';
import type { Handler } from '../../protocol/handler.ts';
import { REPLY_DEADLINE, REQUEST_DEADLINE } from '../../protocol/limits.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import { ByteWriter } from '../../protocol/writer.ts';

/** The stream handle behind a socket: node's own, undocumented; test/daemon/socket pins what we use of it. */
export type StreamHandle = { readonly fd: number };

/** One read's worth. Sockets take turns with it: a read is parsed and wiped before the next can begin. */
const scratch = Buffer.allocUnsafeSlow(65_536);
const NOTHING = Buffer.alloc(0);

/** Milliseconds that a silent connection gets at the end: who has just connected is about to ask. */
const DRAIN_GRACE = 100;

/** Writers of connections that are over. Most connections live for one request: a fresh buffer each would be garbage. */
const writers: ByteWriter[] = [];
const WRITERS_KEPT = 64;

/**
 * A socket that knows its connection, so that all sockets can share their listeners. With a closure of its own for each
 * the whole connection outlived the small collections, and only a full one freed it. Seen with --trace-gc-nvp (Node
 * 24.21): 1.9 KiB a get were promoted, and 0.6 without closures here and in a helper's run. Why V8 does so is not known.
 */
class ConnectionSocket extends Socket {
  declare connection: Connection;
}

/** A connection of the agent: a socket, its conversation, and the clock of a slow request. */
export class Connection implements Transport {
  readonly #socket: ConnectionSocket;
  readonly #conversation: Conversation;
  readonly #writer = writers.pop() ?? new ByteWriter();
  readonly #onClose: (connection: Connection) => void;
  /** When it last had something to do, on node's monotonic clock. */
  usedAt = performance.now();
  #deadline: NodeJS.Timeout | undefined;
  #deadlineOf = -1;
  #draining = false;

  /** Bytes are read into our own buffer: node's would leave copies of secrets behind in memory that it frees unwiped. */
  static readonly #reading = {
    buffer: scratch,
    callback(this: ConnectionSocket, length: number): boolean {
      return this.connection.#receive(length);
    },
  };
  static readonly #onEnd = function (this: ConnectionSocket): void {
    this.connection.#conversation.end();
    this.connection.#watch();
  };
  static readonly #onClosed = function (this: ConnectionSocket): void {
    this.connection.#closed();
  };

  constructor(handle: StreamHandle, handler: Handler, keep: SecretKeeper, onClose: (connection: Connection) => void) {
    this.#onClose = onClose;
    this.#conversation = new Conversation(handler, keep, this, this.#writer);
    this.#socket = new ConnectionSocket({
      handle,
      allowHalfOpen: true,
      onread: Connection.#reading,
    } as unknown as ConstructorParameters<typeof Socket>[0]);
    this.#socket.connection = this;
    this.#socket.on('end', Connection.#onEnd);
    // Without a listener one reset connection would end the whole agent.
    this.#socket.on('error', ignore);
    this.#socket.on('close', Connection.#onClosed);
    this.#socket.resume();
  }

  get idle(): boolean {
    return this.#conversation.idle;
  }

  /** Answers what has arrived, or arrives in a moment, and closes. */
  drain(): void {
    this.#draining = true;
    // What lies in the socket unread, or is being written by who was just accepted, would be lost by closing now.
    if (this.#conversation.idle) setTimeout(() => this.#leave(), DRAIN_GRACE);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(length: number): boolean {
    this.usedAt = performance.now();
    const bytes = scratch.subarray(0, length);
    this.#conversation.receive(bytes);
    bytes.fill(0);
    this.#watch();
    return true;
  }

  send(bytes: Buffer): boolean {
    if (this.#socket.destroyed) return true;
    this.#socket.write(bytes);
    if (this.#socket.writableLength === 0) {
      if (this.#draining) queueMicrotask(() => this.#leave());
      return true;
    }
    // The rest waits for a slow reader. An empty write behind it says when it has gone.
    const unread = setTimeout(() => this.destroy(), REPLY_DEADLINE);
    this.#socket.write(NOTHING, () => {
      clearTimeout(unread);
      bytes.fill(0);
      this.#conversation.drained();
      if (this.#draining) this.#leave();
    });
    return false;
  }

  #leave(): void {
    if (this.#conversation.idle) this.destroy();
  }

  close(): void {
    // destroy() at once saves a shutdown and two turns of the event loop, and loses nothing that was written.
    if (this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.end(() => this.#socket.destroy());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** A request that has begun must end in time; a silent connection costs nothing and may stay. */
  #watch(): void {
    const { incomplete, completed } = this.#conversation;
    if (incomplete && this.#deadlineOf === completed) return;
    if (this.#deadline) {
      clearTimeout(this.#deadline);
      this.#deadline = undefined;
      this.#deadlineOf = -1;
    }
    if (!incomplete) return;
    this.#deadlineOf = completed;
    this.#deadline = setTimeout(() => this.destroy(), REQUEST_DEADLINE);
  }

  #closed(): void {
    clearTimeout(this.#deadline);
    this.#conversation.dispose();
    // Lent to the next connection while an adapter still writes for this one, it would tell its secrets to a stranger.
    if (this.#conversation.released && writers.length < WRITERS_KEPT) writers.push(this.#writer);
    this.#onClose(this);
  }
}

/** A broken connection closes by itself (autoDestroy); there is nobody left to tell. */
function ignore(): void {}
