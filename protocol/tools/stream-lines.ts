import { KeyholdError } from '../errors.ts';
import { wipeable } from '../secret.ts';
import type { Input } from './adapter.ts';

const LF = 0x0a;
/** Room for a first line: a request without a long list of headers. */
const FIRST_ROOM = 4_096;

/** Lines of a stream, one after the other, in one buffer that is wiped. They end at LF and nowhere else. */
export class StreamLines {
  readonly #input: Input;
  readonly #max: number;
  #bytes = Buffer.from(wipeable(FIRST_ROOM).buffer);
  #start = 0;
  #end = 0;

  /** `max` bytes is the longest line that is taken. */
  constructor(input: Input, max: number) {
    this.#input = input;
    this.#max = max;
  }

  /**
   * The next line without its LF, borrowed until the next call; undefined at the end. A last line without LF was cut
   * off and is none. Throws `line_too_long`.
   */
  async next(): Promise<Buffer | undefined> {
    this.#drop();
    for (let looked = 0; ; ) {
      const lf = this.#bytes.subarray(0, this.#end).indexOf(LF, looked);
      if (lf >= 0) {
        this.#start = lf + 1;
        return this.#bytes.subarray(0, lf);
      }
      looked = this.#end;
      if (this.#end > this.#max)
        throw new KeyholdError('line_too_long', `cannot read a line of over ${this.#max} bytes`);
      const piece = await this.#input.next();
      if (!piece) return undefined;
      this.#add(piece);
    }
  }

  wipe(): void {
    this.#bytes.fill(0);
    this.#start = 0;
    this.#end = 0;
  }

  /** Forgets the line that was lent. */
  #drop(): void {
    this.#bytes.copyWithin(0, this.#start, this.#end);
    const rest = this.#end - this.#start;
    this.#bytes.fill(0, rest, this.#end);
    this.#end = rest;
    this.#start = 0;
  }

  #add(piece: Buffer): void {
    if (this.#end + piece.length > this.#bytes.length) {
      const larger = Buffer.from(wipeable(Math.max(this.#bytes.length * 2, this.#end + piece.length)).buffer);
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes.fill(0);
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.#end);
    this.#end += piece.length;
  }
}
