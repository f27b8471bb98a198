import { KeyholdError } from '../../protocol/errors.ts';
import { fromWire, printable } from '../../protocol/text.ts';

const LF = 0x0a;
const DIGITS_MAX = 9;

export type AnswerSink = {
  /** Bytes for standard output or standard error; borrowed for the call. */
  readonly write: (descriptor: 1 | 2, bytes: Buffer) => void;
  readonly exit: (code: number) => void;
};

/** Reads the agent's frames of a helper run, split as they come: `o` and `e` with bytes, then `x`. PROTOCOL.md §6. */
export class Answer {
  readonly #sink: AnswerSink;
  #letter = '';
  #digits = '';
  #rest = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** Throws `bad_reply` for what is no frame: an agent that refuses the run as a whole says why in `message=`. */
  receive(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#rest > 0) {
        const piece = bytes.subarray(at, at + this.#rest);
        this.#sink.write(this.#letter === 'o' ? 1 : 2, piece);
        at += piece.length;
        this.#rest -= piece.length;
        if (this.#rest === 0) this.#letter = '';
        continue;
      }
      const byte = bytes[at]!;
      const character = String.fromCharCode(byte);
      if (this.#letter === '' && 'oex'.includes(character)) this.#begin(character);
      else if (this.#letter !== '' && /[0-9]/.test(character) && this.#digits.length < DIGITS_MAX)
        this.#digits += character;
      else if (this.#digits !== '' && byte === LF) {
        if (this.#takeHeader()) return;
      } else throw refusal(bytes);
      at++;
    }
  }

  #begin(letter: string): void {
    this.#letter = letter;
    this.#digits = '';
  }

  /** True at the exit code, behind which nothing comes. */
  #takeHeader(): boolean {
    const number = Number(this.#digits);
    this.#digits = '';
    if (this.#letter === 'x') {
      this.#sink.exit(number < 256 ? number : 1);
      return true;
    }
    this.#rest = number;
    if (number === 0) this.#letter = '';
    return false;
  }
}

function refusal(bytes: Buffer): KeyholdError {
  const message = /\nmessage=([^\n]*)\n/.exec(bytes.toString('latin1'))?.[1];
  return new KeyholdError(
    'bad_reply',
    message === undefined
      ? 'what answers is no agent of ours; run: keyhold doctor'
      : `the agent refused: ${printable(fromWire(message))}`,
  );
}
