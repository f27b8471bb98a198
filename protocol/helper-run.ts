import type { Attributes } from './attributes.ts';
import { asFault, KeyholdError } from './errors.ts';
import type { Handler } from './handler.ts';
import { FRAME_MAX, REQUEST_MAX } from './limits.ts';
import type { SecretKeeper } from './secret.ts';
import { exitCodeOf } from './status.ts';
import { printable, toWire } from './text.ts';
import { type Adapter, byOperation, type InputMode, type Invocation, operationOf } from './tools/adapter.ts';
import { adapterFor } from './tools/index.ts';
import type { ByteWriter } from './writer.ts';

const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
/** Room that is kept for the letter, six digits and LF of an output frame whose length is not known yet. */
const FRAME_HEADER = 8;

/** What a run needs of its conversation: to send what is written, and to end. */
export type RunWire = { readonly flush: () => void; readonly exit: () => void };

/**
 * The second half of `action=run`: frames both ways, until the exit code. A frame is a letter, a decimal length, LF and
 * so many bytes. From the client: `i`, input, and `i0` at its end. From the agent: `o`, standard output; `e`, a line
 * for standard error; and last `x` with the exit code and LF, behind which the connection closes. PROTOCOL.md §6.
 */
export class HelperRun {
  readonly #handler: Handler;
  readonly #keep: SecretKeeper;
  readonly #out: ByteWriter;
  readonly #wire: RunWire;
  readonly #program: string;
  readonly #attributes: Attributes;
  readonly #adapter: Adapter | undefined;
  readonly #mode: InputMode;

  /** Bytes of a frame whose header or payload has not come whole. */
  #partial: Buffer = EMPTY;
  #input: Buffer[] = [];
  #inputLength = 0;
  #whole: Buffer | undefined;
  #inputComplete = false;
  #wanting: (() => void) | undefined;
  #started = false;
  #frameStart = 0;
  #cut = false;

  constructor(attributes: Attributes, handler: Handler, keep: SecretKeeper, out: ByteWriter, wire: RunWire) {
    this.#handler = handler;
    this.#keep = keep;
    this.#out = out;
    this.#wire = wire;
    this.#attributes = attributes;
    this.#program = attributes.text('name') ?? '';
    this.#adapter = adapterFor(this.#program);
    const operation = operationOf(attributes.list('argument[]'));
    this.#mode = this.#adapter ? byOperation(this.#adapter.input, operation) : 'none';
  }

  /** True once no more input is needed for the run to end. */
  get inputComplete(): boolean {
    return this.#inputComplete || this.#mode === 'stream';
  }

  /** Takes bytes of frames; throws `bad_request` where they are none. */
  receive(bytes: Buffer): void {
    if (this.#cut) return;
    let from = bytes;
    if (this.#partial.length > 0) {
      from = Buffer.concat([this.#partial, bytes]);
      this.#partial.fill(0);
      this.#partial = EMPTY;
    }
    const used = this.#readFrames(from);
    if (used < from.length) this.#partial = Buffer.from(new Uint8Array(from.subarray(used)).buffer);
    if (from !== bytes) from.fill(0);
    this.start();
    this.#wanting?.();
  }

  /** Begins the conversation as soon as its mode allows. */
  start(): void {
    if (this.#started || (this.#mode === 'whole' && !this.#inputComplete)) return;
    this.#started = true;
    void this.#converse();
  }

  /** The client is gone: there is no more input, and nobody to answer. */
  cut(): void {
    this.#cut = true;
    this.#inputComplete = true;
    this.#partial.fill(0);
    for (const piece of this.#input.splice(0)) piece.fill(0);
    this.#wanting?.();
    if (!this.#started) this.#wire.exit();
  }

  /** Answers how many bytes were whole frames. */
  #readFrames(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      const lf = bytes.indexOf(LF, at);
      if (lf < 0 ? bytes.length - at > FRAME_HEADER : lf - at > FRAME_HEADER) throw badFrame();
      if (lf < 0) break;
      const digits = bytes.toString('latin1', at + 1, lf);
      const length = Number(digits);
      if (bytes[at] !== 0x69 || !/^[0-9]{1,6}$/.test(digits) || length > FRAME_MAX || this.#inputComplete)
        throw badFrame();
      if (bytes.length - lf - 1 < length) break;
      this.#takeInput(bytes, lf + 1, length);
      at = lf + 1 + length;
    }
    return at;
  }

  #takeInput(bytes: Buffer, start: number, length: number): void {
    if (length === 0) {
      this.#inputComplete = true;
      return;
    }
    this.#inputLength += length;
    if (this.#inputLength > REQUEST_MAX) {
      throw new KeyholdError(
        'request_too_long',
        `cannot run the helper: its input is longer than ${REQUEST_MAX} bytes`,
      );
    }
    const piece = Buffer.allocUnsafe(length);
    bytes.copy(piece, 0, start, start + length);
    this.#input.push(piece);
  }

  async #converse(): Promise<void> {
    let code: number;
    this.#openFrame();
    try {
      code = this.#adapter ? await this.#adapter.converse(this.#invocation(), this.#handler) : this.#unknown();
    } catch (error) {
      const fault = asFault(error);
      this.#warn(fault.message);
      code = exitCodeOf(fault.status);
    }
    this.#whole?.fill(0);
    for (const piece of this.#input.splice(0)) piece.fill(0);
    this.#attributes.dispose();
    if (this.#cut) return;
    this.#closeFrame();
    this.#out.text(`x${code}\n`);
    this.#wire.exit();
  }

  #invocation(): Invocation {
    const attributes = this.#attributes;
    const environment = new Map<string, string>();
    for (const variable of attributes.list('env[]')) {
      const equals = variable.indexOf('=');
      const name = variable.slice(0, equals);
      if (equals > 0 && this.#adapter!.environment.includes(name)) environment.set(name, variable.slice(equals + 1));
    }
    return {
      program: this.#program,
      arguments: attributes.list('argument[]'),
      environment,
      cwd: attributes.text('cwd') ?? '',
      input: { all: () => this.#all(), next: () => this.#next() },
      output: this.#out,
      flush: () => {
        this.#closeFrame();
        this.#wire.flush();
        this.#openFrame();
      },
      warn: (line) => this.#warn(line),
      keep: this.#keep,
    };
  }

  #unknown(): number {
    this.#warn(`keyhold speaks no protocol by the name ${printable(this.#program) || '(none)'}`);
    return exitCodeOf('unsupported');
  }

  #all(): Buffer {
    if (this.#whole) return this.#whole;
    if (this.#input.length === 1) this.#whole = this.#input.pop()!;
    else {
      this.#whole = Buffer.concat(this.#input);
      for (const piece of this.#input.splice(0)) piece.fill(0);
    }
    return this.#whole;
  }

  async #next(): Promise<Buffer | undefined> {
    this.#whole?.fill(0);
    this.#whole = undefined;
    while (this.#input.length === 0 && !this.#inputComplete) {
      await new Promise<void>((resolve) => {
        this.#wanting = resolve;
      });
      this.#wanting = undefined;
    }
    this.#whole = this.#input.shift();
    if (this.#whole) this.#inputLength -= this.#whole.length;
    return this.#whole;
  }

  #openFrame(): void {
    this.#frameStart = this.#out.gap(FRAME_HEADER);
  }

  #closeFrame(): void {
    const length = this.#out.length - this.#frameStart - FRAME_HEADER;
    if (length === 0) this.#out.truncate(this.#frameStart);
    else this.#out.patch(this.#frameStart, `o${String(length).padStart(FRAME_HEADER - 2, '0')}\n`);
  }

  #warn(line: string): void {
    const text = toWire(`keyhold: ${printable(line)}\n`);
    this.#closeFrame();
    this.#out.text(`e${text.length}\n${text}`);
    this.#openFrame();
  }
}

function badFrame(): KeyholdError {
  return new KeyholdError('bad_request', 'cannot run the helper: what follows the request is no frame of input');
}
