import { BusReader, BusWriter } from './marshal.ts';

/** Longest message that is read: the paths of 200,000 items. */
const MESSAGE_MAX = 16_777_216;

/** A reply, an error or a signal: what it is about and a reader standing at its body. */
export type BusMessage = {
  readonly type: number;
  readonly path: string | undefined;
  readonly member: string | undefined;
  readonly errorName: string | undefined;
  /** The serial of the call that this answers. */
  readonly replyTo: number | undefined;
  readonly body: BusReader;
};

const METHOD_CALL = 1;
/** The type of a message that refuses a call. */
export const ERROR = 3;
/** The type of a message that nobody asked for. */
export const SIGNAL = 4;

const FIELD_PATH = 1;
const FIELD_INTERFACE = 2;
const FIELD_MEMBER = 3;
const FIELD_ERROR_NAME = 4;
const FIELD_REPLY_SERIAL = 5;
const FIELD_DESTINATION = 6;
const FIELD_SIGNATURE = 8;

/** A method of an interface, and arguments that fit its signature. */
export type MethodCall = {
  readonly destination: string;
  readonly path: string;
  readonly face: string;
  readonly member: string;
  readonly signature: string;
  readonly args: readonly unknown[];
};

/** The bytes of a call. */
export function methodCall(serial: number, { destination, path, face, member, signature, args }: MethodCall): Buffer {
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
export function messageSize(input: Buffer): number | undefined {
  if (input.length < 16) return undefined;
  if (input[0] !== 0x6c) throw new Error('the bus speaks big-endian');
  const size = Math.ceil((16 + input.readUInt32LE(12)) / 8) * 8 + input.readUInt32LE(4);
  if (size > MESSAGE_MAX) throw new Error('the bus sends too long a message');
  return input.length < size ? undefined : size;
}

/** Reads one whole message. Throws a RangeError when it is not one. */
export function readMessage(bytes: Buffer): BusMessage {
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
