import { asFault, KeyholdError } from './errors.ts';
import { Gathered } from './gathered.ts';
import { FRAME_MAX, REQUEST_MAX } from './limits.ts';
import type { Input, InputMode } from './tools/adapter.ts';

const LF = 0x0a;
const ZERO = 0x30;
const LETTER = 0x69;
const EMPTY = Buffer.alloc(0);
/** The letter and at most six digits, without the LF. */
const HEADER_MAX = 7;

/**
 * Standard input of a helper run: the frames that the client sends, as the adapter takes them. A frame that is none,
 * too much input and input that is cut off are told when the run begins, or by `next`. PROTOCOL.md §8.2.
 */
export class RunInput implements Input {
  readonly #mode: InputMode;
  /** How many bytes of a frame's header have come, and what its digits say so far. */
  #header = 0;
  #announced = 0;
  /** Bytes of the current frame that have not come yet. */
  #expected = 0;
  readonly #gathered: Gathered = new Gathered();
  /** The piece of a stream that the adapter has borrowed; and whether it has borrowed all that was gathered. */
  #lent: Buffer = EMPTY;
  #isLent = false;
  #complete = false;
  #fault: KeyholdError | undefined;
  #wanting: (() => void) | undefined;

  constructor(mode: InputMode) {
    this.#mode = mode;
  }

  /** True once the run can begin, or go on, without more input being promised. */
  get complete(): boolean {
    return this.#complete || this.#mode !== 'whole';
  }

  /** What was wrong with the input, if anything was. */
  get fault(): KeyholdError | undefined {
    return this.#fault;
  }

  /** Takes bytes of frames; what comes behind `i0`, or to a run without input, is not looked at. */
  receive(bytes: Buffer): void {
    if (this.#complete || this.#mode === 'none') return;
    try {
      this.#readFrames(bytes);
    } catch (error) {
      this.#fail(asFault(error));
    }
    this.#wanting?.();
  }

  /** The client sends no more. Only a `stream` may end so, and only between two frames. */
  end(): void {
    if (this.complete && this.#header === 0 && this.#expected === 0) this.#complete = true;
    else this.#fail(new KeyholdError('bad_request', 'cannot run the helper: its input was cut off'));
    this.#wanting?.();
  }

  /** Ends it for whoever waits for more, and wipes what nobody has borrowed. */
  cut(): void {
    this.#complete = true;
    if (!this.#isLent) this.#gathered.wipe();
    this.#wanting?.();
  }

  /** Wipes everything, once the run is over. */
  wipe(): void {
    this.#gathered.wipe();
    this.#lent.fill(0);
  }

  /** Nothing more is gathered once a run has begun that takes its input whole, so its memory may be lent as it is. */
  all(): Buffer {
    this.#isLent = true;
    return this.#gathered.view();
  }

  async next(): Promise<Buffer | undefined> {
    while (this.#gathered.length === 0 && !this.#complete) {
      await new Promise<void>((resolve) => {
        this.#wanting = resolve;
      });
      this.#wanting = undefined;
    }
    this.#lent.fill(0);
    if (this.#gathered.length > 0) {
      this.#lent = this.#gathered.surrender();
      return this.#lent;
    }
    if (this.#fault) throw this.#fault;
    return undefined;
  }

  #fail(fault: KeyholdError): void {
    this.#fault ??= fault;
    this.#complete = true;
  }

  #readFrames(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#complete; ) {
      if (this.#expected === 0) {
        this.#readHeader(bytes[at++]!);
        continue;
      }
      const end = Math.min(at + this.#expected, bytes.length);
      if (this.#gathered.length + end - at > REQUEST_MAX) {
        throw new KeyholdError(
          'request_too_long',
          `cannot run the helper: its input is longer than ${REQUEST_MAX} bytes`,
        );
      }
      this.#gathered.add(bytes, at, end);
      this.#expected -= end - at;
      at = end;
    }
  }

  #readHeader(byte: number): void {
    if (byte === LF && this.#header > 1) {
      if (this.#announced > FRAME_MAX) throw badFrame();
      if (this.#announced === 0) this.#complete = true;
      this.#expected = this.#announced;
      this.#header = 0;
      this.#announced = 0;
      return;
    }
    const digit = byte - ZERO;
    const isFit = this.#header === 0 ? byte === LETTER : digit >= 0 && digit <= 9 && this.#header < HEADER_MAX;
    if (!isFit) throw badFrame();
    if (this.#header++ > 0) this.#announced = this.#announced * 10 + digit;
  }
}

function badFrame(): KeyholdError {
  return new KeyholdError('bad_request', 'cannot run the helper: what follows the request is no frame of input');
}
