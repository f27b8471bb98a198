import { Attributes, readAttributes } from './attributes.ts';
import { readCapabilities } from './capabilities.ts';
import { decodeRequest } from './decode.ts';
import { encodeInPieces, encodeReply } from './encode.ts';
import { asFault, KeyholdError } from './errors.ts';
import { Framing } from './framing.ts';
import { Gathered } from './gathered.ts';
import type { CredentialReply, CredentialRequest, Handler } from './handler.ts';
import { HelperRun, type RunWire } from './helper-run.ts';
import { FLUSH_AT, PIPELINE_MAX } from './limits.ts';
import type { SecretKeeper } from './secret.ts';
import { ByteWriter } from './writer.ts';

const LF = 0x0a;

/** What a conversation needs of its connection. */
export interface Transport {
  /**
   * Sends bytes. True: they are on their way, and the memory may be used again. False: the transport keeps the memory
   * until it has sent it, wipes it then, and calls `drained`; until then the conversation sends nothing more.
   */
  send(bytes: Buffer): boolean;
  /** Ends the connection once everything is sent. */
  close(): void;
  /** Lets other connections have their turn, between two pieces of a long answer. */
  turn?(): Promise<void>;
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
 * connection, a broken request only itself. PROTOCOL.md §2, §5.
 */
export class Conversation implements RunWire {
  readonly #handler: Handler;
  readonly #keep: SecretKeeper;
  readonly #transport: Transport;

  readonly #out: ByteWriter;
  readonly #framing: Framing = new Framing();
  readonly #arrived: Arrived[] = [];
  /** What the handler is working on: its secrets are lent until it settles. */
  #inHand: Arrived | undefined;
  /** The beginning of a request whose end has not come; while paused, whole requests too. */
  readonly #tail: Gathered = new Gathered();
  #run: HelperRun | undefined;
  #answering = false;
  #paused = false;
  #blocked = false;
  #inputEnded = false;
  /** What else comes in belongs to no request. */
  #deaf = false;
  #closing = false;
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
    if (this.#closed || this.#deaf) return false;
    return (this.#tail.length > 0 && !this.#paused) || (this.#run !== undefined && !this.#run.inputComplete);
  }

  /** How many requests have arrived whole; a deadline belongs to one of these numbers. */
  get completed(): number {
    return this.#completed;
  }

  /** True while nothing has begun, nothing waits for an answer and every answer is on its way. */
  get idle(): boolean {
    return !this.#answering && !this.#blocked && this.#tail.length === 0 && this.#run === undefined;
  }

  /** True once nothing more is written to `out`: an adapter may go on for a while after its client has left. */
  get released(): boolean {
    return this.#closed && !this.#run?.writing;
  }

  /** Takes bytes as they come; they are borrowed for the call. */
  receive(bytes: Buffer): void {
    if (this.#closed || this.#inputEnded || this.#deaf) return;
    if (this.#run) this.#run.receive(bytes);
    else if (this.#tail.length === 0 && !this.#paused) this.#tail.add(bytes, this.#scan(bytes), bytes.length);
    else {
      this.#tail.add(bytes, 0, bytes.length);
      if (!this.#paused) this.#scanTail();
    }
    this.#wake();
  }

  /** The other side sends no more. */
  end(): void {
    if (this.#closed || this.#inputEnded) return;
    this.#inputEnded = true;
    if (this.#run) this.#run.end();
    else if (!this.#paused) this.#endTail();
    this.#wake();
  }

  /** The transport has sent what it kept. */
  drained(): void {
    this.#blocked = false;
    if (this.#closing) this.exit();
    else {
      this.#run?.flush();
      this.#wake();
    }
  }

  /** Ends it now: the connection is gone or its time is over. */
  dispose(): void {
    this.#closed = true;
    this.#tail.wipe();
    for (const arrived of this.#arrived) if (arrived !== this.#inHand) arrived.attributes.dispose();
    this.#arrived.length = 0;
    this.#run?.cut();
    this.#out.truncate();
  }

  /** Takes the whole requests at the front of `bytes`. Answers where the rest, which is to be kept, begins. */
  #scan(bytes: Buffer): number {
    let start = 0;
    try {
      while (start < bytes.length) {
        if (this.#arrived.length >= PIPELINE_MAX) {
          this.#paused = true;
          this.#transport.pause();
          return start;
        }
        const end = this.#framing.end(bytes, start);
        if (end < 0) return start;
        // An empty line between requests is nothing.
        if (end > start) this.#arrive(bytes, start, end, true);
        start = end + 1;
        if (this.#run) this.#run.receive(bytes.subarray(start));
        if (this.#run || this.#deaf) return bytes.length;
      }
    } catch (error) {
      this.#refuse(asFault(error));
      return bytes.length;
    }
    return start;
  }

  #scanTail(): void {
    this.#tail.skip(this.#scan(this.#tail.view()));
  }

  /** The end of input ends a request only right behind a LF: a cut inside a line must do nothing. */
  #endTail(): void {
    const bytes = this.#tail.view();
    if (bytes.at(-1) === LF) this.#arrive(bytes, 0, bytes.length, false);
    this.#tail.wipe();
  }

  #arrive(bytes: Buffer, start: number, end: number, framed: boolean): void {
    this.#completed++;
    let { attributes, fault } = readAttributes(bytes, start, end, this.#keep);
    if (attributes.text('action') === 'run') {
      if (!fault && framed) {
        this.#run = new HelperRun(attributes, this.#handler, this.#keep, this.#out, this);
        return;
      }
      fault ??= new KeyholdError('bad_request', 'cannot run a helper: its request must end with an empty line');
      // The frames that follow are no requests.
      this.#deaf = true;
    }
    this.#arrived.push({ attributes, fault, framed: framed && !this.#deaf });
  }

  #wake(): void {
    if (this.#answering || this.#closed || this.#blocked || this.#closing) return;
    if (this.#arrived.length === 0 && this.#paused) this.#resume();
    if (this.#arrived.length > 0) {
      this.#answering = true;
      void this.#answerAll();
    } else if (this.#run) this.#run.start();
    else if (this.#inputEnded || this.#deaf) this.exit();
  }

  #resume(): void {
    this.#paused = false;
    this.#scanTail();
    if (this.#paused) return;
    this.#transport.resume();
    if (this.#inputEnded) this.#endTail();
  }

  async #answerAll(): Promise<void> {
    for (let next = 0; next < this.#arrived.length && !this.#closed; next++) {
      const arrived = this.#arrived[next]!;
      this.#inHand = arrived;
      await this.#answer(arrived);
      this.#inHand = undefined;
      arrived.attributes.dispose();
      if (next + 1 === this.#arrived.length) this.#arrived.length = 0;
      if (this.#out.length >= FLUSH_AT) this.flush();
      if (this.#blocked) {
        this.#arrived.splice(0, next + 1);
        break;
      }
    }
    this.#answering = false;
    this.flush();
    this.#wake();
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
      for (const _ of encodeInPieces(reply, offered, this.#out)) {
        await this.#transport.turn?.();
        if (this.#closed) return;
      }
    } catch (error) {
      const { status, message } = asFault(error);
      encodeReply({ status, message }, offered, this.#out);
    }
    if (framed) this.#out.end();
  }

  /** A frame cannot be read any further: what came before is answered, then this, to whoever it is, then it ends. */
  #refuse(fault: KeyholdError): void {
    const attributes = new Attributes();
    attributes.add('capability[]', 'keyhold');
    this.#arrived.push({ attributes, fault, framed: false });
    this.#deaf = true;
  }

  /** Sends what is written, now. For the run of a helper. */
  flush(): void {
    if (this.#closed || this.#blocked || this.#out.length === 0) return;
    if (this.#transport.send(this.#out.view())) this.#out.truncate();
    else {
      this.#out.surrender();
      this.#blocked = true;
    }
  }

  /** Ends the connection once everything is sent. For the run of a helper. */
  exit(): void {
    if (this.#closed) return;
    this.flush();
    if (this.#blocked) {
      this.#closing = true;
      return;
    }
    this.#closed = true;
    this.#transport.close();
    this.dispose();
  }
}
