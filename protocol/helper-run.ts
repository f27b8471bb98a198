import type { Attributes } from './attributes.ts';
import { asFault } from './errors.ts';
import { frontOf } from './fronts.ts';
import type { CredentialReply, CredentialRequest, Handler } from './handler.ts';
import { FRAME_MAX } from './limits.ts';
import { REPOSITORY_VARIABLES, repositoryFolder } from './repository.ts';
import { RunInput } from './run-input.ts';
import type { SecretKeeper } from './secret.ts';
import { exitCodeOf } from './status.ts';
import { fromWire, printable, toWire } from './text.ts';
import { type Adapter, byOperation, type Input, type Invocation, operationOf } from './tools/adapter.ts';
import { adapterFor } from './tools/index.ts';
import type { ByteWriter } from './writer.ts';

/** Room that is kept for the letter, six digits and LF of an output frame whose length is not known yet. */
const FRAME_HEADER = 8;
/** Longest line for standard error, in characters: messages are short, and nobody else may make them long. */
const WARNING_MAX = 1_000;

/** What a run needs of its conversation: to send what is written, and to end. */
export interface RunWire {
  flush(): void;
  exit(): void;
}

/**
 * The second half of `action=run`: frames both ways, until the exit code. A frame is a letter, a decimal length, LF and
 * so many bytes. From the client: `i`, input, and `i0` at its end. From the agent: `o`, standard output; `e`, a line
 * for standard error; and last `x` with the exit code and LF, behind which the connection closes. PROTOCOL.md §8.
 */
export class HelperRun implements Invocation {
  readonly program: string;
  readonly keep: SecretKeeper;
  readonly output: ByteWriter;
  readonly #handler: Handler;
  readonly #wire: RunWire;
  readonly #attributes: Attributes;
  readonly #adapter: Adapter | undefined;
  readonly #input: RunInput;
  #started = false;
  /** Answered whole, or with nobody left to answer. */
  #over = false;
  /** The adapter has returned: it writes no more. */
  #settled = false;
  #frameStart = 0;

  constructor(attributes: Attributes, handler: Handler, keep: SecretKeeper, out: ByteWriter, wire: RunWire) {
    this.#handler = handler;
    this.keep = keep;
    this.output = out;
    this.#wire = wire;
    this.#attributes = attributes;
    this.program = attributes.text('name') ?? '';
    this.#adapter = adapterFor(this.program);
    const operation = operationOf(attributes.list('argument[]'));
    this.#input = new RunInput(this.#adapter ? byOperation(this.#adapter.input, operation) : 'none');
  }

  get arguments(): readonly string[] {
    return this.#attributes.list('argument[]');
  }

  /** The adapter's name. */
  get tool(): string {
    return this.#adapter?.name ?? '';
  }

  get cwd(): string {
    return this.#attributes.text('cwd') ?? '';
  }

  /** The folder of the repository that the tool says it works for. */
  get #repository(): string | undefined {
    if (!this.#adapter?.folders) return undefined;
    const { environment } = this;
    const [gitDir, workTree] = REPOSITORY_VARIABLES.map((name) => environment.get(name));
    return repositoryFolder(this.#attributes.text('cwd'), gitDir, workTree);
  }

  get version(): string {
    return this.#attributes.text('version') ?? '';
  }

  get input(): Input {
    return this.#input;
  }

  get environment(): ReadonlyMap<string, string> {
    const environment = new Map<string, string>();
    for (const variable of this.#attributes.list('env[]')) {
      const equals = variable.indexOf('=');
      const name = variable.slice(0, equals);
      const { environment: names, folders = [] } = this.#adapter!;
      if (equals > 0 && (names.includes(name) || folders.includes(name)))
        environment.set(name, variable.slice(equals + 1));
    }
    return environment;
  }

  /** True once no more input is needed for the run to end. */
  get inputComplete(): boolean {
    return this.#input.complete;
  }

  /** True while the adapter may still write. */
  get writing(): boolean {
    return this.#started && !this.#settled;
  }

  /** Takes bytes of frames. */
  receive(bytes: Buffer): void {
    this.#input.receive(bytes);
  }

  /** The client sends no more. */
  end(): void {
    this.#input.end();
  }

  /** Begins the conversation as soon as its mode allows. */
  start(): void {
    if (this.#started || !this.#input.complete) return;
    this.#started = true;
    void this.#converse();
  }

  /** Sends what was written so far. */
  flush(): void {
    if (this.#over || !this.#started) return;
    this.#closeFrame();
    this.#wire.flush();
    this.#openFrame();
  }

  /** The client is gone: there is no more input, and nobody to answer. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#input.cut();
    if (!this.#started) this.#attributes.dispose();
  }

  async #converse(): Promise<void> {
    let code: number;
    this.#openFrame();
    try {
      if (this.#input.fault) throw this.#input.fault;
      code = this.#adapter ? await this.#adapter.converse(this, (request) => this.#ask(request)) : this.#unknown();
    } catch (error) {
      const fault = asFault(error);
      if (!this.#over) {
        // Half an answer is worse than none.
        this.output.truncate(this.#frameStart);
        this.#openFrame();
      }
      this.warn(fault.message);
      code = exitCodeOf(fault.status);
    }
    this.#settled = true;
    this.#input.wipe();
    this.#attributes.dispose();
    if (this.#over) {
      this.output.truncate();
      return;
    }
    this.#closeFrame();
    this.#over = true;
    this.output.text(`x${code}\n`);
    this.#wire.exit();
  }

  /** The handler, told where the request comes from. */
  #ask(request: CredentialRequest): Promise<CredentialReply> {
    return this.#handler({
      ...request,
      tool: this.tool,
      front: frontOf(this.tool),
      cwd: this.#attributes.text('cwd'),
      repository: this.#repository,
      profile: this.#attributes.text('profile'),
    });
  }

  #unknown(): number {
    this.warn(`keyhold speaks no protocol by the name ${fromWire(this.program) || '(none)'}`);
    return exitCodeOf('unsupported');
  }

  #openFrame(): void {
    this.#frameStart = this.output.gap(FRAME_HEADER);
  }

  #closeFrame(): void {
    const start = this.#frameStart + FRAME_HEADER;
    const length = this.output.length - start;
    if (length === 0) this.output.truncate(this.#frameStart);
    else if (length <= FRAME_MAX)
      this.output.patch(this.#frameStart, `o${String(length).padStart(FRAME_HEADER - 2, '0')}\n`);
    else this.#splitFrame(start);
  }

  #splitFrame(start: number): void {
    const payload = new Uint8Array(this.output.view().subarray(start));
    this.output.truncate(this.#frameStart);
    for (let at = 0; at < payload.length; at += FRAME_MAX) {
      const piece = payload.subarray(at, at + FRAME_MAX);
      this.output.text(`o${piece.length}\n`);
      this.output.bytes(piece);
    }
    payload.fill(0);
  }

  warn(line: string): void {
    if (this.#over) return;
    const text = toWire(`keyhold: ${printable(line).slice(0, WARNING_MAX)}\n`);
    this.#closeFrame();
    this.output.text(`e${text.length}\n${text}`);
    this.#openFrame();
  }
}
