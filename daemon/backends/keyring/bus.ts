import { connect, type Socket } from 'node:net';
import { type BusMessage, ERROR, messageSize, methodCall, readMessage, SIGNAL } from './bus-message.ts';
import type { BusReader } from './marshal.ts';

/** An error that a peer on the bus answered, such as `org.freedesktop.DBus.Error.ServiceUnknown`. */
export class BusError extends Error {
  override readonly name: string;
  constructor(name: string) {
    super(`the bus answered ${name}`);
    this.name = name;
  }
}

/**
 * As much of a D-Bus client as it takes to ask the Secret Service for its state, which the keyring library cannot do
 * without raising a prompt or opening secrets. No secret ever passes here. It has no deadlines: who started this
 * process ends it.
 *
 * @see https://dbus.freedesktop.org/doc/dbus-specification.html
 */
export class Bus {
  readonly #socket: Socket;
  #input: Buffer = Buffer.alloc(0);
  #serial = 0;
  readonly #pending = new Map<number, { resolve: (message: BusMessage) => void; reject: (error: Error) => void }>();
  #greeting: (() => void) | undefined;
  #fail: (error: Error) => void = () => {};
  /** Called with every signal, which `AddMatch` or being its addressee asks for. */
  onSignal: (signal: BusMessage) => void = () => {};
  /** Why nothing can be asked any more. */
  broken: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to the first address of a list that can be connected to, and says hello. Throws when none can. */
  static async open(addresses: string): Promise<Bus> {
    let last: Error = new Error('the bus address is of no kind that can be used here');
    for (const path of socketPaths(addresses)) {
      const bus = new Bus(connect(path));
      try {
        await bus.#greet();
        await bus.call('org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'Hello');
        return bus;
      } catch (error) {
        bus.close();
        last = error as Error;
      }
    }
    throw last;
  }

  /** Calls a method with arguments of the given signature and answers a reader at the reply's body. */
  call(destination: string, path: string, face: string, member: string, signature = '', args: readonly unknown[] = []) {
    return new Promise<BusReader>((resolve, reject) => {
      if (this.broken) return reject(this.broken);
      const serial = ++this.#serial;
      this.#pending.set(serial, { resolve: ({ body }) => resolve(body), reject });
      this.#socket.write(methodCall(serial, { destination, path, face, member, signature, args }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #greet(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#greeting = resolve;
      this.#fail = (error) => {
        this.broken = error;
        reject(error);
        for (const { reject } of this.#pending.values()) reject(error);
        this.#pending.clear();
        this.#socket.destroy();
      };
      this.#socket.on('error', (error) => this.#fail(error));
      this.#socket.on('close', () => this.#fail(new Error('the bus closed the connection')));
      this.#socket.on('data', (bytes) => this.#read(bytes));
      // EXTERNAL: the bus asks the kernel who we are, and compares with the uid in hexadecimal digits.
      const uid = Buffer.from(String(process.getuid!())).toString('hex');
      this.#socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    });
  }

  #read(bytes: Buffer): void {
    this.#input = Buffer.concat([this.#input, bytes]);
    try {
      if (this.#greeting && !this.#readGreeting(this.#greeting)) return;
      for (let size = messageSize(this.#input); size !== undefined; size = messageSize(this.#input)) {
        const message = this.#input.subarray(0, size);
        this.#input = this.#input.subarray(size);
        this.#take(message);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #readGreeting(done: () => void): boolean {
    const end = this.#input.indexOf('\r\n');
    if (end < 0) {
      if (this.#input.length > 1_024) throw new Error('the bus greets with too long a line');
      return false;
    }
    if (!this.#input.subarray(0, end).toString('latin1').startsWith('OK '))
      throw new Error('the bus refuses this user');
    this.#input = this.#input.subarray(end + 2);
    this.#greeting = undefined;
    this.#socket.write('BEGIN\r\n');
    done();
    return true;
  }

  #take(bytes: Buffer): void {
    const message = readMessage(bytes);
    const { type, replyTo, errorName } = message;
    if (type === SIGNAL) this.onSignal(message);
    const waiting = replyTo === undefined ? undefined : this.#pending.get(replyTo);
    if (!waiting) return;
    this.#pending.delete(replyTo!);
    if (type === ERROR) waiting.reject(new BusError(errorName ?? 'an unnamed error'));
    else waiting.resolve(message);
  }
}

/** The Unix sockets among the addresses of a list, as node:net wants them (a NUL begins an abstract one). */
function socketPaths(addresses: string): readonly string[] {
  return addresses.split(';').flatMap((address) => {
    if (!address.startsWith('unix:')) return [];
    const keys = new Map(
      address
        .slice('unix:'.length)
        .split(',')
        .map((pair) => pair.split('=', 2) as [string, string]),
    );
    const path = keys.get('path');
    if (path !== undefined) return [decodeURIComponent(path)];
    const abstract = keys.get('abstract');
    if (abstract !== undefined) return [`\0${decodeURIComponent(abstract)}`];
    const runtime = process.env.XDG_RUNTIME_DIR;
    return keys.get('runtime') === 'yes' && runtime ? [`${runtime}/bus`] : [];
  });
}
