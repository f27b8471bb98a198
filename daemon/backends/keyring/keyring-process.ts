import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { KeyholdError } from '../../../protocol/errors.ts';
import { IoDeadline } from '../../io-deadline.ts';
import { frame, framesOf, openReply, partsOf, REPLY_KEY_LENGTH } from '../../processes/frames.ts';
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

/** A child, and whether it has said that it listens. */
type Running = { readonly child: ChildProcess; readonly start: Promise<void>; ready: boolean };

/**
 * The keyring child, started when there is something to do and let go soon after. Operations are made one at a time,
 * in their order. One that takes longer than its deadline costs the child its life, and throws `backend_hung`, which
 * those behind it then hear at once for as long as the breaker says.
 */
export class Burst {
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
    return this.#run?.ready ?? false;
  }

  /**
   * Settles when the child is up; starts it where none is. `asked`: since when the caller waits (performance.now()), for
   * callers that waited for one failed start do not each wait for another. Throws `backend_absent` or `backend_failed`.
   */
  async start(asked = performance.now()): Promise<void> {
    if (this.#breaker?.open) throw hung();
    if (this.#startFailure && asked < this.#startFailure.at) throw this.#startFailure.error;
    const running = this.#running();
    if (running.ready) return;
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
    this.#run?.child.kill('SIGKILL');
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
      if (running.ready) this.#rest();
    }
  }

  #exchange({ child }: Running, bytes: Buffer, replyKey: Uint8Array, deadline: number): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const fell = (error: KeyholdError) => {
        child.kill('SIGKILL');
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
      child.stdin!.write(bytes);
    }).finally(() => {
      this.#waiting = undefined;
    });
  }

  #running(): Running {
    if (this.#run) return this.#run;
    const { childPath, nodePath = process.execPath, env = process.env, mayPrompt = false } = this.#options;
    const bus = sessionBus(env);
    if (bus === undefined) {
      throw new KeyholdError(
        'backend_absent',
        'cannot reach the keyring: there is no session bus; see: keyhold help backends',
      );
    }
    const child = spawn(nodePath, [...SEAT_BELT, childPath], {
      env: childEnvironment(env, bus, mayPrompt),
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
    });
    let started = () => {};
    let failed = (_: Error) => {};
    const running: Running = {
      child,
      ready: false,
      start: new Promise<void>((resolve, reject) => {
        started = resolve;
        failed = reject;
      }),
    };
    running.start.catch(() => {});
    let isLate = false;
    const startTimer = new IoDeadline(this.#startDeadline, () => {
      isLate = true;
      this.late = true;
      child.kill('SIGKILL');
    }).unref();
    const fell = () => {
      startTimer.clear();
      const error = isLate ? notUp(this.#startDeadline) : fallen();
      if (!running.ready) this.#startFailure = { at: performance.now(), error };
      failed(error);
      this.#fell(child, error);
    };
    child.once('error', fell);
    child.once('exit', fell);
    // EPIPE; the end of the child tells the story.
    child.stdin!.on('error', () => {});
    let input: Buffer = Buffer.alloc(0);
    child.stdout!.on('data', (chunk: Buffer) => {
      const bodies = framesOf(Buffer.concat([input, chunk]));
      try {
        let next = bodies.next();
        for (; !next.done; next = bodies.next()) {
          if (running.ready && next.value.length === 0) {
            this.#waiting?.begun();
          } else if (running.ready) {
            this.#take(next.value);
          } else {
            startTimer.clear();
            running.ready = true;
            this.#options.onUp?.(partsOf(next.value));
            started();
            // Whoever started it may have given up by now.
            this.#rest();
          }
        }
        input = next.value;
      } catch {
        child.kill('SIGKILL');
        fell();
      }
    });
    // A child that idles keeps nobody from ending; one that works is waited for by its deadline's timer.
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    (child.stdout as unknown as { unref(): void }).unref();
    this.#run = running;
    return running;
  }

  #take(body: Buffer): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const [name, value] = openReply(waiting.replyKey, body);
    const outcome = outcomes.find((outcome) => outcome === name?.toString('latin1')) ?? 'failed';
    this.#breaker?.answered();
    waiting.resolve({ outcome, value });
  }

  #fell(child: ChildProcess, error: KeyholdError): void {
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
    child.stdin!.end();
    const timer = new IoDeadline(END_DEADLINE, () => child.kill('SIGKILL')).unref();
    child.once('exit', () => timer.clear());
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

/** No writing, no further processes or threads, no inspector; the library itself needs reading and an addon. */
const SEAT_BELT = ['--permission', '--allow-fs-read=*', '--allow-addons', '--disable-sigusr1', '--no-warnings'];
