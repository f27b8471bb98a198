import { randomBytes } from 'node:crypto';
import { KeyholdError } from '../../../protocol/errors.ts';
import { IoDeadline } from '../../io-deadline.ts';
import { Child, type ChildEnd } from '../../processes/child.ts';
import { frame, openReply, REPLY_KEY_LENGTH } from '../../processes/frames.ts';
import type { Needs } from '../../processes/sandbox.ts';
import type { Breaker } from './breaker.ts';
import { type Operation, type Outcome, outcomes } from './operations.ts';
import { childEnvironment, type SessionEnvironment, sessionBus } from './session-bus.ts';

/** Milliseconds that the keyring may take for an ordinary operation. The start of our own child does not count. */
export const CALL_DEADLINE = 900;
/** Milliseconds that `unlock` may take: a person is asked. */
export const UNLOCK_DEADLINE = 120_000;
/** Milliseconds without an operation after which the child is let go. */
const IDLE = 2_000;
/** Milliseconds that our own child may take to come up, and to begin an operation: a busy machine's time. */
const START_DEADLINE = 10_000;
/** Milliseconds that a child may take to end by itself once its input has. */
const END_DEADLINE = 1_000;

/** How the child is started. */
export type ChildOptions = {
  /** The child's program: `keyring-child.js` beside the agent's bundle, or `child.ts`. */
  readonly childPath: string;
  /** The node that runs it. @default {process.execPath} */
  readonly nodePath?: string | undefined;
  /** Where the session bus is found. @default {process.env} */
  readonly env?: SessionEnvironment | undefined;
  /** Whether the desktop may ask the person: passes on where the display is. @default {false} */
  readonly mayPrompt?: boolean | undefined;
  /** Milliseconds that the child may take to come up and to begin. @default {START_DEADLINE} */
  readonly startDeadline?: number | undefined;
  /** Told what each child says of itself when it is up (native/child-walls.ts). */
  readonly onUp?: ((parts: readonly Buffer[]) => void) | undefined;
};

/** How an operation ended and what it answered: views of one buffer, for the caller to wipe. */
export type Answer = { readonly outcome: Outcome; readonly value: Uint8Array | undefined };

type Waiting = {
  readonly replyKey: Uint8Array;
  /** The child has turned to the keyring: from here on the time is the keyring's. */
  begun: () => void;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
};

/** A child; `start` settles when it is up or has ended before. */
type Running = { readonly child: Child; readonly start: Promise<void> };

/**
 * The keyring child, started when there is something to do and let go soon after. Operations are made one at a time,
 * in their order. One that takes longer than its deadline costs the child its life, and throws `backend_hung`, which
 * those behind it then hear at once for as long as the breaker says.
 */
export class KeyringProcess {
  readonly #options: ChildOptions;
  readonly #breaker: Breaker | undefined;
  #run: Running | undefined;
  #waiting: Waiting | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  /** Whether our own child was too late the last time: that says nothing about the keyring. */
  late = false;
  /** How and when (performance.now()) the last child fell that did not come up. */
  #startFailure: { readonly at: number; readonly error: KeyholdError } | undefined;

  constructor(options: ChildOptions, breaker?: Breaker) {
    this.#options = options;
    this.#breaker = breaker;
  }

  /** Whether the child is up: a call that comes now waits for the keyring only. */
  get ready(): boolean {
    return this.#run?.child.isUp ?? false;
  }

  /**
   * Settles when the child is up; starts it where none is. `asked`: since when the caller waits (performance.now()), for
   * callers that waited for one failed start do not each wait for another. Throws `backend_absent` or `backend_failed`.
   */
  async start(asked = performance.now()): Promise<void> {
    if (this.#breaker?.open) throw hung();
    if (this.#startFailure && asked < this.#startFailure.at) throw this.#startFailure.error;
    const running = this.#running();
    if (running.child.isUp) return;
    // A process with nothing else to do would end while the child comes up.
    running.child.ref();
    await running.start.finally(() => running.child.unref());
  }

  /**
   * Asks the child for one operation. The parts are copied at once and stay the caller's. `deadline` milliseconds are the
   * keyring's: they count from when the child turns to it. Throws `backend_absent` without a session bus, `backend_hung`
   * after the deadline, `backend_failed` when the child fell or did not come up within 10 s.
   */
  request(operation: Operation, parts: readonly Uint8Array[] = [], deadline = CALL_DEADLINE): Promise<Answer> {
    const replyKey = randomBytes(REPLY_KEY_LENGTH);
    const bytes = frame([Buffer.from(operation), replyKey, ...parts]);
    const asked = performance.now();
    const answer = this.#last.then(() => this.#ask(bytes, replyKey, deadline, asked));
    this.#last = answer.catch(() => {});
    return answer.finally(() => {
      bytes.fill(0);
      replyKey.fill(0);
    });
  }

  get #startDeadline(): number {
    return this.#options.startDeadline ?? START_DEADLINE;
  }

  /** Ends the child in the middle of what it does: `backend_failed` to who waits for it. */
  abandon(): void {
    this.#run?.child.kill();
  }

  /** Waits for what was asked, then ends the child. */
  async dispose(): Promise<void> {
    await this.#last;
    this.#letGo();
  }

  async #ask(bytes: Buffer, replyKey: Uint8Array, deadline: number, asked: number): Promise<Answer> {
    clearTimeout(this.#idle);
    await this.start(asked);
    const running = this.#running();
    try {
      clearTimeout(this.#idle);
      return await this.#exchange(running, bytes, replyKey, deadline);
    } finally {
      if (running.child.isUp) this.#rest();
    }
  }

  #exchange({ child }: Running, bytes: Buffer, replyKey: Uint8Array, deadline: number): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const fell = (error: KeyholdError) => {
        child.kill();
        this.#fell(child, error);
      };
      let timer = new IoDeadline(this.#startDeadline, () => {
        this.late = true;
        fell(notUp(this.#startDeadline));
      });
      this.#waiting = {
        replyKey,
        begun: () => {
          timer.clear();
          timer = new IoDeadline(deadline, () => {
            this.#breaker?.hung();
            fell(hung());
          });
          this.late = false;
        },
        resolve: (answer) => {
          timer.clear();
          resolve(answer);
        },
        reject: (error) => {
          timer.clear();
          reject(error);
        },
      };
      child.write(bytes);
    }).finally(() => {
      this.#waiting = undefined;
    });
  }

  #running(): Running {
    if (this.#run) return this.#run;
    const { childPath, nodePath, env = process.env, mayPrompt = false } = this.#options;
    const bus = sessionBus(env);
    if (bus === undefined) {
      throw new KeyholdError(
        'backend_absent',
        'cannot reach the keyring: there is no session bus; see: keyhold help backends',
      );
    }
    const { promise: start, resolve: started, reject: failed } = Promise.withResolvers<void>();
    start.catch(() => {});
    const child = new Child({
      program: childPath,
      nodePath,
      env: childEnvironment(env, bus, mayPrompt),
      needs: keyringNeeds,
      startDeadline: this.#startDeadline,
      channel: {
        kind: 'frames',
        onUp: (parts) => {
          this.#options.onUp?.(parts);
          started();
          // The caller that started it may have given up by now.
          this.#rest();
        },
        onFrame: (body) => {
          if (body.length === 0) this.#waiting?.begun();
          else this.#take(body);
        },
      },
      onEnd: (end) => {
        const error = this.#errorOf(end);
        failed(error);
        this.#fell(child, error);
      },
    });
    this.#run = { child, start };
    return this.#run;
  }

  #errorOf({ wasUp, startedLate }: ChildEnd): KeyholdError {
    if (startedLate) this.late = true;
    const error = startedLate ? notUp(this.#startDeadline) : fallen();
    if (!wasUp) this.#startFailure = { at: performance.now(), error };
    return error;
  }

  #take(body: Buffer): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const [name, value] = openReply(waiting.replyKey, body);
    const outcome = outcomes.find((outcome) => outcome === name?.toString('latin1')) ?? 'failed';
    this.#breaker?.answered();
    waiting.resolve({ outcome, value });
  }

  #fell(child: Child, error: KeyholdError): void {
    if (this.#run?.child !== child) return;
    this.#run = undefined;
    this.#waiting?.reject(error);
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#letGo(), IDLE).unref();
  }

  #letGo(): void {
    clearTimeout(this.#idle);
    const child = this.#run?.child;
    if (!child) return;
    this.#run = undefined;
    child.release(END_DEADLINE);
  }
}

function fallen(): KeyholdError {
  return new KeyholdError('backend_failed', 'cannot use the keyring: its child process ended early; see: keyhold logs');
}

function notUp(milliseconds: number): KeyholdError {
  return new KeyholdError(
    'backend_failed',
    `cannot use the keyring: our own child process did not begin within ${milliseconds / 1_000} s; the machine is busy, try again`,
  );
}

function hung(): KeyholdError {
  return new KeyholdError('backend_hung', 'cannot use the keyring: it does not answer in time; restart your keyring');
}

/** The library is an addon that lies in node_modules, and looks into `/usr/bin/ldd` to learn which C library it runs on. */
export const keyringNeeds: Needs = { addons: true, anyFile: true };
