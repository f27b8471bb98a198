import { type Attributes, readAttributes } from './attributes.ts';
import { noCapabilities, readCapabilities } from './capabilities.ts';
import { decodeRequest } from './decode.ts';
import { encodeReply } from './encode.ts';
import { asFault, KeyholdError } from './errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from './handler.ts';
import { HelperRun } from './helper-run.ts';
import { FLUSH_AT, LINE_MAX, PIPELINE_MAX, REQUEST_MAX } from './limits.ts';
import type { SecretKeeper } from './secret.ts';
import { ByteWriter } from './writer.ts';

const LF = 0x0a;
const EMPTY = Buffer.alloc(0);

/** What a conversation needs of its connection. */
export interface Transport {
  /**
   * Sends bytes. True: they are on their way, and the memory may be used again. False: the transport keeps the memory
   * until it has sent it, wipes it then, and calls `drained`; until then the conversation sends nothing more.
   */
  send(bytes: Buffer): boolean;
  /** Ends the connection once everything is sent. */
  close(): void;
  /** Stops and restarts the flow of incoming bytes. */
  pause(): void;
  resume(): void;
}

type Arrived = {
  readonly attributes: Attributes;
  readonly fault: KeyholdError | undefined;
  /** Ended by an empty line, so the answer ends with one; else by the end of input, and the answer by the close. */
  readonly framed: boolean;
};

/**
 * The agent's side of one connection, without any I/O of its own: bytes come in by `receive` and `end`, answers go out
 * through the transport, in the order of their requests. Requests are bounded by limits.ts; a broken frame ends the
 * connection, a broken request only itself. PROTOCOL.md §2, §4.
 */
export class Conversation {
  readonly #handler: Handler;
  readonly #keep: SecretKeeper;
  readonly #transport: Transport;

  readonly #out: ByteWriter;
  readonly #arrived: Arrived[] = [];
  /** The beginning of a request whose end has not come. */
  #tail: Buffer = EMPTY;
  #run: HelperRun | undefined;
  #answering = false;
  #paused = false;
  #blocked = false;
  #inputEnded = false;
  #closed = false;
  #completed = 0;

  /** `out` is where answers are gathered; it is empty and wiped again when the conversation is over. */
  constructor(handler: Handler, keep: SecretKeeper, transport: Transport, out: ByteWriter = new ByteWriter()) {
    this.#out = out;
    this.#handler = handler;
    this.#keep = keep;
    this.#transport = transport;
  }

  /** True while a request has begun and not ended: the time in which its deadline runs. */
  get incomplete(): boolean {
    return !this.#closed && (this.#tail.length > 0 || (this.#run !== undefined && !this.#run.inputComplete));
  }

  /** How many requests have arrived whole; a deadline belongs to one of these numbers. */
  get completed(): number {
    return this.#completed;
  }

  /** True while nothing has begun and nothing waits for an answer. */
  get idle(): boolean {
    return !this.#answering && this.#tail.length === 0 && this.#run === undefined;
  }

  /** Takes bytes as they come; they are borrowed for the call. */
  receive(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#run) {
      this.#feedRun(bytes);
      return;
    }
    if (this.#tail.length === 0) this.#scan(bytes);
    else {
      const joined = Buffer.allocUnsafeSlow(this.#tail.length + bytes.length);
      this.#tail.copy(joined);
      bytes.copy(joined, this.#tail.length);
      this.#tail.fill(0);
      this.#tail = EMPTY;
      this.#scan(joined);
      joined.fill(0);
    }
    this.#wake();
  }

  /** The other side sends no more. */
  end(): void {
    if (this.#closed || this.#inputEnded) return;
    this.#inputEnded = true;
    if (this.#run) this.#run.cut();
    // The end of input ends a request only right behind a LF: a cut inside a line must do nothing.
    else if (this.#tail.length > 0 && this.#tail[this.#tail.length - 1] === LF)
      this.#arrive(this.#tail, 0, this.#tail.length, false);
    this.#dropTail();
    this.#wake();
    if (!this.#answering && !this.#run) this.#close();
  }

  /** The transport has sent what it kept. */
  drained(): void {
    this.#blocked = false;
    this.#wake();
  }

  /** Ends it now: the connection is gone or its time is over. */
  dispose(): void {
    this.#closed = true;
    this.#dropTail();
    for (const { attributes } of this.#arrived.splice(0)) attributes.dispose();
    this.#run?.cut();
    this.#out.truncate();
  }

  /** Cuts whole requests off the front of `bytes` and keeps the rest. */
  #scan(bytes: Buffer): void {
    let start = 0;
    while (start < bytes.length) {
      const end = endOfRequest(bytes, start);
      if (end < 0) break;
      if (end === start) {
        start++; // an empty line between requests is nothing
        continue;
      }
      const isRun = this.#arrive(bytes, start, end, true);
      start = end + 1;
      if (isRun) {
        if (this.#run && start < bytes.length) this.#run.receive(bytes.subarray(start));
        return;
      }
      if (this.#closed) return;
    }
    const rest = bytes.length - start;
    if (rest > REQUEST_MAX)
      this.#refuse(
        new KeyholdError('request_too_long', `cannot read the request: it is longer than ${REQUEST_MAX} bytes`),
      );
    else if (rest >= LINE_MAX && bytes.lastIndexOf(LF) < bytes.length - LINE_MAX) {
      this.#refuse(
        new KeyholdError('line_too_long', `cannot read the request: a line is longer than ${LINE_MAX} bytes`),
      );
    } else if (rest > 0) {
      this.#tail = Buffer.allocUnsafe(rest);
      bytes.copy(this.#tail, 0, start);
    }
  }

  /** Takes one whole request. True if it began a helper run, which what follows belongs to. */
  #arrive(bytes: Buffer, start: number, end: number, framed: boolean): boolean {
    this.#completed++;
    const { attributes, fault } = readAttributes(bytes, start, end, this.#keep);
    if (!fault && framed && attributes.text('action') === 'run') {
      this.#run = new HelperRun(attributes, this.#handler, this.#keep, this.#out, {
        flush: () => this.#flush(),
        exit: () => this.#close(),
      });
      return true;
    }
    this.#arrived.push({ attributes, fault, framed });
    if (this.#arrived.length >= PIPELINE_MAX && !this.#paused) {
      this.#paused = true;
      this.#transport.pause();
    }
    return false;
  }

  #feedRun(bytes: Buffer): void {
    try {
      this.#run!.receive(bytes);
    } catch (error) {
      this.#refuse(asFault(error));
    }
  }

  #wake(): void {
    if (this.#answering || this.#closed || this.#blocked) return;
    if (this.#arrived.length > 0) {
      this.#answering = true;
      void this.#answerAll();
    } else if (this.#run) this.#run.start();
  }

  async #answerAll(): Promise<void> {
    for (let next = 0; next < this.#arrived.length && !this.#closed; next++) {
      const arrived = this.#arrived[next]!;
      await this.#answer(arrived);
      arrived.attributes.dispose();
      if (next + 1 === this.#arrived.length) this.#arrived.length = 0;
      if (this.#out.length >= FLUSH_AT) this.#flush();
      if (this.#blocked) {
        this.#arrived.splice(0, next + 1);
        this.#answering = false;
        return;
      }
    }
    this.#answering = false;
    if (this.#closed) return;
    this.#flush();
    if (this.#inputEnded && !this.#run) this.#close();
    else if (this.#paused) {
      this.#paused = false;
      this.#transport.resume();
    }
    if (this.#run) this.#run.start();
  }

  async #answer({ attributes, fault, framed }: Arrived): Promise<void> {
    let request: CredentialRequest | undefined;
    let reply: CredentialReply;
    try {
      if (fault) throw fault;
      request = decodeRequest(attributes);
      reply = await this.#handler(request);
    } catch (error) {
      const { status, message } = asFault(error);
      reply = { status, message };
    }
    if (this.#closed) return;
    const offered = request?.capabilities ?? readCapabilities(attributes.list('capability[]'));
    try {
      encodeReply(reply, offered, this.#out);
    } catch (error) {
      const { status, message } = asFault(error);
      encodeReply({ status, message }, offered, this.#out);
    }
    if (framed) this.#out.end();
  }

  /** Answers a frame that cannot be read any further, and ends the connection. */
  #refuse(fault: KeyholdError): void {
    encodeReply({ status: fault.status, message: fault.message }, { ...noCapabilities, keyhold: true }, this.#out);
    this.#dropTail();
    this.#flush();
    this.#close();
  }

  #flush(): void {
    if (this.#closed || this.#out.length === 0) return;
    if (this.#transport.send(this.#out.view())) this.#out.truncate();
    else {
      this.#out.surrender();
      this.#blocked = true;
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#transport.close();
    this.dispose();
  }

  #dropTail(): void {
    this.#tail.fill(0);
    this.#tail = EMPTY;
  }
}

/** Offset of the empty line's LF that ends the request at `start`, or −1. At `start` itself the line is empty. */
function endOfRequest(bytes: Buffer, start: number): number {
  if (bytes[start] === LF) return start;
  for (let at = bytes.indexOf(LF, start); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 1;
  }
  return -1;
}
