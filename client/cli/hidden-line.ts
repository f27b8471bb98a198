import { SECRET_MAX } from '../../protocol/limits.ts';
import { isControl } from '../../protocol/writer.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LF = 0x0a;
const CR = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/**
 * One line typed or pasted at a terminal in raw mode, as bytes in memory of its own. It knows what little editing a
 * line needs that cannot be seen: backspace takes a character, ctrl-U all of them. What cannot be a secret is read to
 * the line's end all the same, so that the rest of a paste does not land in the shell.
 */
export class HiddenLine {
  readonly #bytes = new Uint8Array(SECRET_MAX);
  #length = 0;
  #state: 'open' | 'entered' | 'cancelled' = 'open';
  #fault: string | undefined;

  get state(): 'open' | 'entered' | 'cancelled' {
    return this.#state;
  }

  /** Why the line cannot be taken, in words that fit behind "cannot take …: "; undefined if it can. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Takes what was typed; the bytes stay the caller's to wipe. */
  feed(typed: Uint8Array): void {
    for (const byte of typed) {
      if (this.#state === 'cancelled') return;
      if (this.#state === 'entered') this.#fault ??= 'more than one line was pasted';
      else this.#take(byte);
    }
  }

  /** A copy of the line, the caller's to wipe. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  dispose(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  #take(byte: number): void {
    if (byte === CTRL_C || (byte === CTRL_D && this.#length === 0)) this.#state = 'cancelled';
    else if (byte === CR || byte === LF) this.#state = 'entered';
    else if (byte === BACKSPACE || byte === DELETE) this.#back();
    else if (byte === CTRL_U) this.#clear();
    else if (isControl(byte))
      this.#fault ??= 'it holds a control byte (a key that is no character was pressed, or pasted)';
    else if (this.#length === SECRET_MAX) this.#fault ??= `it is longer than ${SECRET_MAX} bytes`;
    else this.#bytes[this.#length++] = byte;
  }

  /** Takes one character back: in UTF-8 its continuation bytes and the byte before them. */
  #back(): void {
    while (this.#length > 0) {
      const byte = this.#bytes[--this.#length]!;
      this.#bytes[this.#length] = 0;
      if ((byte & 0xc0) !== 0x80) return;
    }
  }

  #clear(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
    this.#fault = undefined;
  }
}
