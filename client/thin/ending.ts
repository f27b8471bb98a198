import { KeyholdError } from '../../protocol/errors.ts';
import { printable } from '../../protocol/text.ts';
import type { InputMode, Unavailable } from '../../protocol/tools/adapter.ts';
import { say, writeAll } from './descriptors.ts';

/** Milliseconds from the start to the end; a conversation both ways at once may go on for longer. */
export const DEADLINE = 5_000;
const STREAM_DEADLINE = 600_000;
/** Milliseconds that a tool may still take to say what it was about to, once it was told that there is no agent. */
const FAREWELL = 1_000;

/** How the run ends: with the agent's answer, or with the tool's own words for "no agent". */
export class Ending {
  readonly #unavailable: Unavailable;
  readonly #mode: InputMode;
  readonly #kept: Buffer[] = [];
  /** Something has gone to standard output: no other answer may follow it. */
  #spoken = false;
  #deadline: NodeJS.Timeout;
  #connected = false;
  #late = 'the input did not end in time';

  constructor(unavailable: Unavailable, mode: InputMode) {
    this.#unavailable = unavailable;
    this.#mode = mode;
    this.#deadline = this.#startDeadline(DEADLINE);
  }

  /** All input is there: from here on it is the agent that is waited for. */
  inputEnded(): void {
    this.#late = 'the agent did not answer in time; run: keyhold doctor';
  }

  connected(): void {
    this.#connected = true;
    if (this.#mode !== 'stream') return;
    clearTimeout(this.#deadline);
    this.#deadline = this.#startDeadline(STREAM_DEADLINE);
  }

  /** Nothing is shown before all of it is there, so that what was cut off is never half an answer. */
  write(descriptor: 1 | 2, bytes: Buffer): void {
    if (descriptor === 2) writeAll(2, bytes);
    else if (this.#mode === 'stream') {
      this.#spoken = true;
      writeAll(1, bytes);
    } else this.#kept.push(Buffer.from(new Uint8Array(bytes).buffer));
  }

  exit(code: number): void {
    this.#spoken = true;
    let written = true;
    for (const piece of this.#kept) {
      written &&= writeAll(1, piece);
      piece.fill(0);
    }
    process.exit(written || code !== 0 ? code : 1);
  }

  unavailable(error: unknown): void {
    const { stdout, explain, exitCode } = this.#unavailable;
    for (const piece of this.#kept) piece.fill(0);
    if (!this.#spoken) writeAll(1, Buffer.from(stdout));
    const fault = error instanceof KeyholdError ? error : undefined;
    const isRefusal =
      fault !== undefined &&
      ['bad_request', 'request_too_long', 'unsafe_place', 'bad_config', 'socket_path_too_long'].includes(fault.code);
    if (explain || (isRefusal && exitCode !== 0)) say(printable(fault?.message ?? 'an unexpected fault'));
    const code = this.#spoken && exitCode === 0 ? 1 : exitCode;
    if (this.#mode === 'stream' && !this.#connected) letItFinish(code);
    else process.exit(code);
  }

  #startDeadline(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.unavailable(new KeyholdError('deadline', this.#late)), milliseconds);
  }
}

/** A tool that talks both ways may be about to write, and must not find that nobody is there to read. */
function letItFinish(code: number): void {
  const leave = () => process.exit(code);
  setTimeout(leave, FAREWELL);
  process.stdin.on('data', (bytes: Buffer) => bytes.fill(0));
  process.stdin.on('end', leave);
  process.stdin.on('error', leave);
}
