import { Socket } from 'node:net';
import { Conversation, type Transport } from '../../protocol/conversation.ts';
import type { Handler } from '../../protocol/handler.ts';
import { REPLY_DEADLINE, REQUEST_DEADLINE } from '../../protocol/limits.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import { ByteWriter } from '../../protocol/writer.ts';
import { IoDeadline } from '../io-deadline.ts';
import type { Native } from '../native/native.ts';

/** The stream handle behind a socket: node's own, undocumented; test/daemon/socket pins what we use of it. */
export type StreamHandle = { readonly fd: number };

/** The calls of the addon for a connection that has no stream. */
export type Descriptors = Pick<Native, 'receive' | 'send' | 'close'>;

/** What a socket is made of: node's stream, or a descriptor of which nobody else knows. */
export function socketOptions(source: StreamHandle | number): ConstructorParameters<typeof Socket>[0] {
  const options = typeof source === 'number' ? { fd: source, readable: true, writable: true } : { handle: source };
  return { ...options, allowHalfOpen: true } as ConstructorParameters<typeof Socket>[0];
}

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

/**
 * A connection of the agent: its conversation, the clock of a slow request, and a socket. Most connections bring one
 * request that is answered from memory at once. Where there is the addon they are read, answered and closed by their
 * descriptor alone; a socket is made for what is not over then (ADR 0020).
 */
export class Connection implements Transport {
  readonly #descriptors: Descriptors | undefined;
  readonly #conversation: Conversation;
  readonly #writer = writers.pop() ?? new ByteWriter();
  readonly #onClose: (connection: Connection) => void;
  /** While there is no socket; negative otherwise. */
  #fd = -1;
  #socket: ConnectionSocket | undefined;
  #paused = false;
  /** When it last had something to do, on node's monotonic clock. */
  usedAt = performance.now();
  #deadline: IoDeadline | undefined;
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

  /** `descriptors` come with a bare descriptor. Nothing is read before `begin`. */
  constructor(
    handler: Handler,
    keep: SecretKeeper,
    onClose: (connection: Connection) => void,
    descriptors?: Descriptors | undefined,
  ) {
    this.#onClose = onClose;
    this.#descriptors = descriptors;
    this.#conversation = new Conversation(handler, keep, this, this.#writer);
  }

  /** Takes over the stream or the descriptor. What has come by a descriptor is read now; `settle` sees to the rest. */
  begin(source: StreamHandle | number): void {
    if (typeof source === 'number') {
      this.#fd = source;
      this.#readNow();
    } else this.#attach(source);
  }

  /** Becomes a socket, if it is not over. */
  settle(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#attach(fd);
    this.#watch();
  }

  #attach(source: StreamHandle | number): void {
    const socket = new ConnectionSocket({ ...socketOptions(source), onread: Connection.#reading });
    this.#socket = socket;
    socket.connection = this;
    socket.on('end', Connection.#onEnd);
    // Without a listener one reset connection would end the whole agent.
    socket.on('error', ignore);
    socket.on('close', Connection.#onClosed);
    if (!this.#paused) socket.resume();
  }

  /** A whole request has mostly come by now, and git's cache client has closed its side behind it. */
  #readNow(): void {
    do {
      const length = this.#descriptors!.receive(this.#fd, scratch);
      if (length > 0) this.#receive(length);
      else {
        if (length === 0) this.#conversation.end();
        else if (length < -1) this.destroy();
        return;
      }
    } while (this.#fd >= 0 && this.#conversation.incomplete && !this.#paused);
  }

  get idle(): boolean {
    return this.#conversation.idle;
  }

  /** Answers what has arrived, or arrives in a moment, and closes. */
  drain(): void {
    this.#draining = true;
    // What lies in the socket unread, or is being written by who was just accepted, would be lost by closing now.
    if (this.#conversation.idle) new IoDeadline(DRAIN_GRACE, () => this.#leave());
  }

  destroy(): void {
    if (this.#socket) this.#socket.destroy();
    else if (this.#fd >= 0) this.#release();
  }

  #receive(length: number): boolean {
    this.usedAt = performance.now();
    const bytes = scratch.subarray(0, length);
    this.#conversation.receive(bytes);
    bytes.fill(0);
    if (this.#socket) this.#watch();
    return true;
  }

  send(bytes: Buffer): boolean {
    let rest = bytes;
    if (this.#fd >= 0) {
      const sent = this.#descriptors!.send(this.#fd, bytes);
      if (sent === bytes.length) return true;
      if (sent < 0) {
        this.destroy();
        return true;
      }
      rest = bytes.subarray(sent);
      this.settle();
    }
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return true;
    socket.write(rest);
    if (socket.writableLength === 0) {
      if (this.#draining) queueMicrotask(() => this.#leave());
      return true;
    }
    // The rest waits for a slow reader. An empty write behind it says when it has gone.
    const unread = new IoDeadline(REPLY_DEADLINE, () => this.destroy());
    socket.write(NOTHING, () => {
      unread.clear();
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
    const socket = this.#socket;
    // destroy() at once saves a shutdown and two turns of the event loop, and loses nothing that was written.
    if (socket === undefined || socket.writableLength === 0) this.destroy();
    else socket.end(() => socket.destroy());
  }

  turn(): Promise<void> {
    return new Promise(setImmediate);
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  #release(): void {
    const fd = this.#fd;
    this.#fd = -1;
    this.#descriptors!.close(fd);
    this.#closed();
  }

  /** A request that has begun must end in time; a silent connection costs nothing and may stay. */
  #watch(): void {
    const { incomplete, completed } = this.#conversation;
    if (incomplete && this.#deadlineOf === completed) return;
    if (this.#deadline) {
      this.#deadline.clear();
      this.#deadline = undefined;
      this.#deadlineOf = -1;
    }
    if (!incomplete) return;
    this.#deadlineOf = completed;
    this.#deadline = new IoDeadline(REQUEST_DEADLINE, () => this.destroy());
  }

  #closed(): void {
    this.#deadline?.clear();
    this.#conversation.dispose();
    // Lent to the next connection while an adapter still writes for this one, it would tell its secrets to a stranger.
    if (this.#conversation.released && writers.length < WRITERS_KEPT) writers.push(this.#writer);
    this.#onClose(this);
  }
}

/** A broken connection closes by itself (autoDestroy); there is nobody left to tell. */
function ignore(): void {}
