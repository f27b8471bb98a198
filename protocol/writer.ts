import { KeyholdError } from './errors.ts';
import { LINE_MAX } from './limits.ts';
import type { Secret } from './secret.ts';

const LF = 0x0a;
const EQUALS = 0x3d;
const DEL = 0x7f;
const FIRST_CAPACITY = 1_024;
/** What a text may not hold: control bytes, and characters that are no byte and would be cut to another one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const UNFIT = /[\u0000-\u001f\u007f\u0100-\uffff]/;

/** True where a byte may not stand in a value on the wire: the C0 controls and DEL. */
export function isControl(byte: number): boolean {
  return byte < 0x20 || byte === DEL;
}

/**
 * Bytes under construction, in one scratch buffer that is wiped after use. Everything that leaves passes here, so this
 * is the strict writer: a control byte in a value throws `bad_request` and leaves what was written before untouched.
 */
export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far; borrowed until the next write. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Raw bytes, unchecked: for frames and for tools whose format is not line based. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Text of one byte a character, unchecked: for the fixed parts of a format. */
  text(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  /** A secret's bytes, refused if one of them is a control byte. Answers the offset that it stands at. */
  secret(secret: Secret): number {
    this.#reserve(secret.length);
    const start = this.#length;
    const end = start + secret.copyTo(this.#bytes, start);
    this.#length = end;
    this.#refuseControls(start, end, 'the secret');
    return start;
  }

  /**
   * One `key=value` line. Throws `bad_request` for a control byte in the value and for a text that is not one character
   * a byte, `line_too_long` for what no reader would take, and writes nothing then.
   */
  attribute(key: string, value: string | Secret): void {
    const length = key.length + value.length + 2;
    if (length > LINE_MAX) throw new KeyholdError('line_too_long', `cannot write ${key}: it is too long for a line`);
    if (typeof value === 'string' && UNFIT.test(value)) throw unfit(key);
    this.#reserve(length);
    const start = this.#length;
    let at = start + this.#bytes.write(key, start, 'latin1');
    this.#bytes[at++] = EQUALS;
    if (typeof value === 'string') this.#length = at + this.#bytes.write(value, at, 'latin1');
    else {
      this.#length = at + value.copyTo(this.#bytes, at);
      this.#refuseControls(at, this.#length, key, start);
    }
    this.#bytes[this.#length++] = LF;
  }

  /** The empty line that ends a request or an answer. */
  end(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = LF;
  }

  /** Keeps room for text that is only known later. Answers its offset, for `patch`. */
  gap(length: number): number {
    this.#reserve(length);
    const start = this.#length;
    this.#length += length;
    return start;
  }

  patch(offset: number, text: string): void {
    this.#bytes.write(text, offset, 'latin1');
  }

  /** Forgets and wipes everything from `length` on. */
  truncate(length = 0): void {
    this.#bytes.fill(0, length, this.#length);
    this.#length = length;
  }

  /** Hands the bytes over for good, to somebody who wipes them, and starts with fresh memory. */
  surrender(): Buffer {
    const view = this.view();
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
    this.#length = 0;
    return view;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes.fill(0, 0, this.#length);
    this.#bytes = larger;
  }

  #refuseControls(start: number, end: number, what: string, rollback = start): void {
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) {
      if (isControl(bytes[at]!)) {
        this.truncate(rollback);
        throw unfit(what);
      }
    }
  }
}

function unfit(what: string): KeyholdError {
  return new KeyholdError(
    'bad_request',
    `cannot write ${what}: it holds a control byte or a character that is no byte`,
  );
}
