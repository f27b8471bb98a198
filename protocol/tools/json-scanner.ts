import { KeyholdError } from '../errors.ts';
import { wipeable } from '../secret.ts';

/** How deep objects and arrays may stand in each other: no helper protocol goes beyond four. */
const DEPTH_MAX = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'word';
/** A value where it stands. */
export type JsonSlice = { readonly kind: JsonKind; readonly start: number; readonly end: number };

/** Walks over JSON text and knows where each value begins and ends; it makes nothing of them. */
export class JsonScanner {
  readonly #bytes: Buffer;
  readonly #end: number;
  at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.#end = end;
  }

  space(): void {
    while (this.at < this.#end && ' \t\r\n'.includes(String.fromCharCode(this.#bytes[this.at]!))) this.at++;
  }

  value(depth: number): JsonSlice {
    this.space();
    const start = this.at;
    const byte = this.#peek();
    let kind: JsonKind;
    if (byte === OPEN_OBJECT) {
      kind = 'object';
      this.members(depth);
    } else if (byte === OPEN_ARRAY) {
      kind = 'array';
      this.#array(depth);
    } else if (byte === QUOTE) {
      kind = 'string';
      this.#string();
    } else kind = this.#scalar();
    return { kind, start, end: this.at };
  }

  members(depth: number): Map<string, JsonSlice> {
    if (depth >= DEPTH_MAX) throw unreadable(`it is more than ${DEPTH_MAX} levels deep`);
    const members = new Map<string, JsonSlice>();
    this.at++;
    this.space();
    if (this.#peek() === CLOSE_OBJECT) {
      this.at++;
      return members;
    }
    for (;;) {
      this.space();
      const start = this.at;
      if (this.#peek() !== QUOTE) throw unreadable('a name is missing');
      this.#string();
      const name = stringAt(this.#bytes, { kind: 'string', start, end: this.at }).toString('latin1');
      this.space();
      this.#expect(COLON);
      if (members.has(name)) throw unreadable('it gives a name a second time');
      members.set(name, this.value(depth + 1));
      if (this.#isLast(CLOSE_OBJECT)) return members;
    }
  }

  #array(depth: number): void {
    if (depth >= DEPTH_MAX) throw unreadable(`it is more than ${DEPTH_MAX} levels deep`);
    this.at++;
    this.space();
    if (this.#peek() === CLOSE_ARRAY) {
      this.at++;
      return;
    }
    do this.value(depth + 1);
    while (!this.#isLast(CLOSE_ARRAY));
  }

  /** Behind a member: whether the list ends here. Throws if neither a comma nor its end follows. */
  #isLast(close: number): boolean {
    this.space();
    if (this.#peek() === close) {
      this.at++;
      return true;
    }
    this.#expect(COMMA);
    return false;
  }

  #string(): void {
    for (this.at++; this.#peek() !== QUOTE; this.at++) {
      if (this.#peek()! < 0x20) throw unreadable('a string holds a control byte');
      if (this.#peek() === BACKSLASH) this.at++;
    }
    this.at++;
  }

  #scalar(): JsonKind {
    const rest = this.#bytes.toString('latin1', this.at, Math.min(this.at + SCALAR_MAX, this.#end));
    const [scalar] = SCALAR.exec(rest) ?? [];
    if (scalar === undefined) throw unreadable('it is no JSON');
    this.at += scalar.length;
    return /^[a-z]/.test(scalar) ? 'word' : 'number';
  }

  #expect(byte: number): void {
    if (this.#peek() !== byte) throw unreadable('it is no JSON');
    this.at++;
  }

  #peek(): number {
    if (this.at >= this.#end) throw unreadable('it ends too early');
    return this.#bytes[this.at]!;
  }
}

/** Longest number that is read: more digits than any date or version has. */
const SCALAR_MAX = 64;
const SCALAR = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z.+-])/;

const escapes: Readonly<Record<string, number>> = { b: 8, f: 12, n: 10, r: 13, t: 9, '"': 34, '\\': 92, '/': 47 };

/** The bytes of the string that stands there, in memory of their own, for the caller to wipe. */
export function stringAt(bytes: Buffer, { start, end }: JsonSlice): Buffer {
  const decoded = Buffer.from(wipeable(end - start).buffer);
  let length = 0;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = bytes[at]!;
    if (byte !== BACKSLASH) {
      decoded[length++] = byte;
      continue;
    }
    const letter = String.fromCharCode(bytes[++at]!);
    if (letter !== 'u') {
      if (!Object.hasOwn(escapes, letter)) throw unreadable('a string holds an escape that is none');
      decoded[length++] = escapes[letter]!;
      continue;
    }
    let point = unitAt(bytes, at + 1, end);
    at += 4;
    if (point >= 0xd800 && point < 0xdc00 && bytes[at + 1] === BACKSLASH && bytes[at + 2] === 0x75) {
      const low = unitAt(bytes, at + 3, end);
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
    }
    if (point >= 0xd800 && point < 0xe000) throw unreadable('a string holds half a character');
    length += decoded.write(String.fromCodePoint(point), length, 'utf8');
  }
  return decoded.subarray(0, length);
}

/** The four hex digits of a `\u`. */
function unitAt(bytes: Buffer, at: number, end: number): number {
  const digits = bytes.toString('latin1', at, Math.min(at + 4, end - 1));
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw unreadable('a string holds an escape that is none');
  return Number.parseInt(digits, 16);
}

/** What is wrong with it, without a byte of it. */
export function unreadable(rule: string): KeyholdError {
  return new KeyholdError('bad_request', `cannot read the JSON: ${rule}`);
}
