import { isUtf8 } from 'node:buffer';
import { KeyholdError } from '../errors.ts';
import { expose, type Secret, type SecretKeeper, wipeable } from '../secret.ts';
import { type ByteWriter, isControl } from '../writer.ts';
import { type JsonKind, JsonScanner, type JsonSlice, stringAt, unreadable } from './json-scanner.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A JSON object (RFC 8259), read in place: strings stay bytes until they are asked for, so that a secret among them is
 * never text. It borrows the bytes. A name given twice, a control byte, what is no UTF-8 and, in a string that is asked
 * for, half a surrogate pair are refused, because two readers would see two different things.
 */
export class JsonObject {
  readonly #bytes: Buffer;
  readonly #members = new Map<string, JsonSlice>();

  private constructor(bytes: Buffer, members: Map<string, JsonSlice>) {
    this.#bytes = bytes;
    this.#members = members;
  }

  /** The one object in `bytes`, with white space around it and nothing else. Throws `bad_request` for anything else. */
  static read(bytes: Buffer): JsonObject {
    if (!isUtf8(bytes)) throw unreadable('it is not UTF-8');
    const scanner = new JsonScanner(bytes, 0, bytes.length);
    scanner.space();
    const start = scanner.at;
    if (scanner.value(0).kind !== 'object') throw unreadable('it is no object');
    const { at: end } = scanner;
    scanner.space();
    if (scanner.at !== bytes.length) throw unreadable('something follows it');
    return JsonObject.#at(bytes, { kind: 'object', start, end });
  }

  static #at(bytes: Buffer, { start, end }: JsonSlice): JsonObject {
    return new JsonObject(bytes, new JsonScanner(bytes, start, end).members(0));
  }

  /** Names of the members, as wire text. */
  names(): Iterable<string> {
    return this.#members.keys();
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  hasText(name: string): boolean {
    return this.#of(name, 'string') !== undefined;
  }

  /** A member that is a string, as wire text (text.ts); undefined where there is none, or another kind of value. */
  text(name: string): string | undefined {
    const slice = this.#of(name, 'string');
    return slice && stringAt(this.#bytes, slice).toString('latin1');
  }

  /** The same as a secret; what `keep` makes of it is the caller's to dispose of. */
  secret(name: string, keep: SecretKeeper): Secret | undefined {
    const slice = this.#of(name, 'string');
    if (!slice) return undefined;
    const bytes = stringAt(this.#bytes, slice);
    try {
      return keep(bytes);
    } finally {
      bytes.fill(0);
    }
  }

  /** A member that is a number. */
  number(name: string): number | undefined {
    const slice = this.#of(name, 'number');
    return slice && Number(this.#bytes.toString('latin1', slice.start, slice.end));
  }

  object(name: string): JsonObject | undefined {
    const slice = this.#of(name, 'object');
    return slice && JsonObject.#at(this.#bytes, slice);
  }

  /** Whether a member is a list without anything in it. */
  isEmptyList(name: string): boolean {
    const slice = this.#of(name, 'array');
    return slice !== undefined && /^\[[ \t\r\n]*\]$/.test(this.#bytes.toString('latin1', slice.start, slice.end));
  }

  #of(name: string, kind: JsonKind): JsonSlice | undefined {
    const slice = this.#members.get(name);
    return slice?.kind === kind ? slice : undefined;
  }
}

/** Writes a wire text as a JSON string. Throws `bad_request` for bytes that JSON cannot hold. */
export function writeJsonText(text: string, out: ByteWriter): void {
  const bytes = Buffer.from(text, 'latin1');
  writeJsonBytes(bytes, 'a value', out);
}

/**
 * Writes a secret as a JSON string, behind a wire text: byte by byte, so that it is never text itself. Throws as
 * `writeJsonText` does.
 */
export function writeJsonSecret(secret: Secret, out: ByteWriter, before = ''): void {
  const bytes = wipeable(before.length + secret.length);
  const exposed = expose(secret);
  try {
    Buffer.from(bytes.buffer).write(before, 'latin1');
    bytes.set(exposed, before.length);
    writeJsonBytes(bytes, 'the secret', out);
  } finally {
    exposed.fill(0);
    bytes.fill(0);
  }
}

function writeJsonBytes(bytes: Uint8Array, what: string, out: ByteWriter): void {
  const isFit = isUtf8(bytes) && !bytes.some(isControl);
  if (!isFit)
    throw new KeyholdError('bad_request', `cannot write ${what}: it holds a control byte, or what is no UTF-8`);
  const quoted = wipeable(bytes.length * 2 + 2);
  let at = 0;
  quoted[at++] = QUOTE;
  for (const byte of bytes) {
    if (byte === QUOTE || byte === BACKSLASH) quoted[at++] = BACKSLASH;
    quoted[at++] = byte;
  }
  quoted[at++] = QUOTE;
  out.bytes(quoted.subarray(0, at));
  quoted.fill(0);
}
