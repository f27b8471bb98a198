import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { IoDeadline } from '../io-deadline.ts';
import { FRAME_MAX, framesOf, partsOf } from './frames.ts';
import { type Needs, sandbox } from './sandbox.ts';

/** How a child ended. */
export type ChildEnd = {
  /** It had said that it is up. */
  readonly wasUp: boolean;
  /** It was killed because it was not up within `startDeadline`. */
  readonly startedLate: boolean;
  /** Its exit code or the name of the signal, as the log shows it; `null` where it could not be started. */
  readonly code: string;
};

/** What a child speaks with the agent, and who reads it. Its first frame or message says that it is up. */
export type Channel =
  | {
      /** Frames (frames.ts) on its standard input and output. */
      readonly kind: 'frames';
      /** Longest frame that it may send, in bytes; one that sends a longer one is killed. @default {FRAME_MAX} */
      readonly max?: number;
      /** It is up; the parts of its first frame say how its memory is protected. */
      readonly onUp: (parts: readonly Buffer[]) => void;
      /** The body of each later frame: a view, valid during the call. What throws here costs the child its life. */
      readonly onFrame: (body: Buffer) => void;
    }
  | {
      /** Node's messages, which can carry a connection. Its first message is `ready`. */
      readonly kind: 'messages';
      readonly onUp: () => void;
      readonly onMessage: (message: unknown) => void;
    };

export type ChildParts = {
  /** Absolute path of its program. */
  readonly program: string;
  /** The node that runs it. @default {process.execPath} */
  readonly nodePath?: string | undefined;
  readonly args?: readonly string[];
  /** Its whole environment; it inherits nothing. @default {{}} */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What it needs beyond the strictest sandbox. @default {{}} */
  readonly needs?: Needs;
  /** Milliseconds from its start until it must be up. */
  readonly startDeadline: number;
  readonly channel: Channel;
  /** Called once, when it has ended (and all its frames have been read), or could not be started. */
  readonly onEnd: (end: ChildEnd) => void;
};

/**
 * A child process of the agent: started in its sandbox with an environment of its own, bounded in time, and killed when it
 * breaks its channel's rules. Everything that the agent starts to run a library of others is one of these. It does not keep
 * the agent from ending, unless `ref` is called.
 */
export class Child {
  readonly #process: ChildProcess;
  readonly #parts: ChildParts;
  readonly #start: IoDeadline;
  #isUp = false;
  #startedLate = false;
  #hasEnded = false;

  /** Starts it. Never throws: a program that cannot be started ends at once (`onEnd`). */
  constructor(parts: ChildParts) {
    const { program, nodePath = process.execPath, args = [], env = {}, needs, startDeadline, channel } = parts;
    this.#parts = parts;
    this.#process = spawn(nodePath, [...sandbox(program, needs), program, ...args], {
      cwd: '/',
      env,
      stdio: channel.kind === 'frames' ? ['pipe', 'pipe', 'ignore'] : ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#start = new IoDeadline(startDeadline, () => {
      this.#startedLate = true;
      this.kill();
    }).unref();
    this.#process.once('error', () => this.#end());
    if (channel.kind === 'frames') {
      // What it sent before its end may still be in the pipe: `close` comes behind that.
      this.#process.once('exit', () => unref(this.#process.stdout, false));
      this.#process.once('close', () => this.#end());
      this.#readFrames(channel);
    } else {
      // Node emits no `close` for a child whose channel the parent has disconnected.
      this.#process.once('exit', () => this.#end());
      this.#readMessages(channel);
    }
    this.unref();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Keeps the agent from ending while it comes up. */
  ref(): void {
    this.#process.ref();
  }

  unref(): void {
    this.#process.unref();
    this.#process.channel?.unref();
    unref(this.#process.stdin, true);
    unref(this.#process.stdout, true);
  }

  /** Writes a frame to its standard input; the bytes stay the caller's once it has been read. */
  write(frame: Uint8Array): void {
    this.#process.stdin?.write(frame);
  }

  /** Sends a message, with a connection if there is one; `sent` is called when it is written, or cannot be. */
  send(message: object | string, handle?: object, sent: () => void = () => {}): void {
    this.#process.send(message, handle as SendHandle | undefined, undefined, sent);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /**
   * Kills it after `milliseconds`, unless the caller clears the deadline before. `onLate` is called first. The deadline
   * keeps the agent running, so that a call that is waited for has its answer; `unref` it where nothing waits.
   */
  killAfter(milliseconds: number, onLate: () => void = () => {}): IoDeadline {
    return new IoDeadline(milliseconds, () => {
      onLate();
      this.kill();
    });
  }

  /** Closes the channel, so that it ends by itself when it has done what it has begun; kills it after `milliseconds`. */
  release(milliseconds: number): void {
    const deadline = this.killAfter(milliseconds).unref();
    this.#process.once('exit', () => deadline.clear());
    if (this.#process.stdin) this.#process.stdin.end();
    else if (this.#process.connected) this.#process.disconnect();
  }

  #readFrames({ max = FRAME_MAX, onUp, onFrame }: Extract<Channel, { kind: 'frames' }>): void {
    // EPIPE: its end tells the story.
    this.#process.stdin!.on('error', () => {});
    let input: Buffer = Buffer.alloc(0);
    this.#process.stdout!.on('data', (chunk: Buffer) => {
      if (this.#hasEnded) return;
      try {
        const bodies = framesOf(Buffer.concat([input, chunk]), max);
        let next = bodies.next();
        for (; !next.done; next = bodies.next()) {
          if (this.#isUp) onFrame(next.value);
          else {
            const parts = partsOf(next.value);
            this.#cameUp();
            onUp(parts);
          }
        }
        input = next.value;
      } catch {
        this.kill();
        this.#end();
      }
    });
  }

  #readMessages({ onUp, onMessage }: Extract<Channel, { kind: 'messages' }>): void {
    this.#process.on('message', (message) => {
      if (message === 'ready' && !this.#isUp) {
        this.#cameUp();
        onUp();
      } else onMessage(message);
    });
  }

  #cameUp(): void {
    this.#isUp = true;
    this.#start.clear();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#start.clear();
    const { exitCode, signalCode } = this.#process;
    this.#parts.onEnd({
      wasUp: this.#isUp,
      startedLate: this.#startedLate,
      code: String(exitCode ?? signalCode),
    });
  }
}

/** A pipe's own part in keeping the process running; node's types do not show it. */
function unref(pipe: object | null, isUnref: boolean): void {
  const socket = pipe as { ref(): void; unref(): void } | null;
  if (isUnref) socket?.unref();
  else socket?.ref();
}
