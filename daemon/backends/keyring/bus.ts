import { connect, type Socket } from 'node:net';
import { BusReader, BusWriter } from './marshal.ts';

/** Longest message that is read: what is asked for here is a path, a flag or a short list of paths. */
const MESSAGE_MAX = 1_048_576;

/** A reply or a signal: what it is about and a reader standing at its body. */
export type BusMessage = {
  readonly type: number;
  readonly path: string | undefined;
  readonly member: string | undefined;
  readonly body: BusReader;
};

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
    const { type, path, member, errorName, replyTo, body } = readMessage(bytes);
    if (type === SIGNAL) this.onSignal({ type, path, member, body });
    const waiting = replyTo === undefined ? undefined : this.#pending.get(replyTo);
    if (!waiting) return;
    this.#pending.delete(replyTo!);
    if (type === ERROR) waiting.reject(new BusError(errorName ?? 'an unnamed error'));
    else waiting.resolve({ type, path, member, body });
  }
}

const METHOD_CALL = 1;
const ERROR = 3;
const SIGNAL = 4;

const FIELD_PATH = 1;
const FIELD_INTERFACE = 2;
const FIELD_MEMBER = 3;
const FIELD_ERROR_NAME = 4;
const FIELD_REPLY_SERIAL = 5;
const FIELD_DESTINATION = 6;
const FIELD_SIGNATURE = 8;

type MethodCall = {
  readonly destination: string;
  readonly path: string;
  readonly face: string;
  readonly member: string;
  readonly signature: string;
  readonly args: readonly unknown[];
};

function methodCall(serial: number, { destination, path, face, member, signature, args }: MethodCall): Buffer {
  const body = new BusWriter();
  for (const [index, kind] of splitSignature(signature).entries()) body.value(kind, args[index]);
  const fields: [number, string, string][] = [
    [FIELD_PATH, 'o', path],
    [FIELD_INTERFACE, 's', face],
    [FIELD_MEMBER, 's', member],
    [FIELD_DESTINATION, 's', destination],
  ];
  if (signature !== '') fields.push([FIELD_SIGNATURE, 'g', signature]);
  const head = new BusWriter();
  // 'l' is little-endian, the last byte the protocol's version.
  for (const byte of [0x6c, METHOD_CALL, 0, 1]) head.byte(byte);
  head.uint32(body.length);
  head.uint32(serial);
  head.array(8, () => {
    for (const [code, kind, text] of fields) {
      head.align(8);
      head.byte(code);
      head.value('g', kind);
      head.value(kind, text);
    }
  });
  head.align(8);
  return Buffer.concat([head.bytes(), body.bytes()]);
}

function splitSignature(signature: string): readonly string[] {
  return signature.match(/a\{ss\}|ao|[a-z]/g) ?? [];
}

/** Bytes of the message that `input` begins with; undefined while it is not whole. */
function messageSize(input: Buffer): number | undefined {
  if (input.length < 16) return undefined;
  if (input[0] !== 0x6c) throw new Error('the bus speaks big-endian');
  const size = Math.ceil((16 + input.readUInt32LE(12)) / 8) * 8 + input.readUInt32LE(4);
  if (size > MESSAGE_MAX) throw new Error('the bus sends too long a message');
  return input.length < size ? undefined : size;
}

function readMessage(bytes: Buffer) {
  const fields: { path?: string; member?: string; errorName?: string; replyTo?: number } = {};
  const reader = new BusReader(bytes, 12);
  reader.array(8, () => {
    reader.align(8);
    const code = reader.byte();
    const kind = reader.signature();
    const value = kind === 'u' ? reader.uint32() : kind === 'g' ? reader.signature() : reader.string();
    if (code === FIELD_PATH) fields.path = value as string;
    if (code === FIELD_MEMBER) fields.member = value as string;
    if (code === FIELD_ERROR_NAME) fields.errorName = value as string;
    if (code === FIELD_REPLY_SERIAL) fields.replyTo = value as number;
  });
  reader.align(8);
  return {
    type: bytes[1]!,
    path: fields.path,
    member: fields.member,
    errorName: fields.errorName,
    replyTo: fields.replyTo,
    body: reader,
  };
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
