import { setTimeout as sleep } from 'node:timers/promises';
import type { Seconds } from '../../protocol/credential.ts';
import type { Emit } from '../events/agent-event.ts';
import type { IoDeadline } from '../io-deadline.ts';
import type { Native } from '../native/native.ts';
import { type Caller, callerOf, whyRefused } from '../socket/caller.ts';
import type { StreamHandle } from '../socket/connection.ts';
import { Child, type ChildEnd } from './child.ts';

/** An accepted connection: node's own handle of it, of which nothing has been read. */
type AcceptedHandle = StreamHandle & { close(): void };

/** Connections that wait for the process to take them; whoever comes then is turned away by a close. */
const WAITING_MAX = 64;
/** Milliseconds that the process may take to come up, and to take a connection. */
const TAKE_DEADLINE = 10_000;
/** Messages that it may leave unread before it counts as hung. */
const UNREAD_MAX = 1_000;
/** Milliseconds after a process that fell before it came up, in which none is started: one that cannot run costs little. */
const FALLEN_PAUSE = 1_000;
/** Milliseconds that a process which was let go may take to answer what it has begun. */
const LEAVE_DEADLINE = 15_000;

export type SidecarParts = {
  /** What the log calls it. */
  readonly name: string;
  /** Its program, and what that is told. */
  readonly program: string;
  /** Asked for at each start. */
  readonly args: () => readonly string[];
  /** How long it stays without a connection. */
  readonly idle: Seconds;
  readonly native: Pick<Native, 'peer'> | undefined;
  readonly emit: Emit;
  /** Told of a caller that was turned away, because it is not its user's. */
  readonly turnedAway: (caller: Caller) => void;
};

type UnderWay = { readonly handle: AcceptedHandle; readonly deadline: IoDeadline };
type Running = {
  readonly child: Child;
  handed: number;
  unread: number;
  /** Handed on, and not said to be taken: ours until then. */
  readonly underWay: UnderWay[];
};

/**
 * A process that answers connections which the agent accepted, so that its libraries are not in the agent. It is started
 * by the first connection and ends when none has been there for a while; the next one starts it again. The agent keeps
 * the listening socket: it alone says who may connect, and no connection falls between two processes (ADR 0018).
 */
export class Sidecar {
  readonly #parts: SidecarParts;
  readonly #waiting: AcceptedHandle[] = [];
  #run: Running | undefined;
  #pausedUntil = 0;
  #isOver = false;

  constructor(parts: SidecarParts) {
    this.#parts = parts;
  }

  /** The process, if one is up or coming up. */
  get pid(): number | undefined {
    return this.#run?.child.pid;
  }

  /** Hands a connection on, and starts the process if it takes one. */
  take(stream: StreamHandle): void {
    const handle = stream as AcceptedHandle;
    const uid = process.getuid!();
    const caller = callerOf(handle.fd, this.#parts.native, uid);
    if (whyRefused(caller, uid) !== undefined) {
      this.#parts.emit({ kind: 'refused', uid: caller.uid, pid: caller.pid });
      this.#parts.turnedAway(caller);
      handle.close();
      return;
    }
    this.#pass(handle);
  }

  /** Tells the process something, if it is up; behind the connections that were handed on before. */
  tell(message: object): void {
    const run = this.#run;
    if (!run) return;
    // Its subscribers come again, to another one.
    if (++run.unread > UNREAD_MAX) run.child.kill();
    else run.child.send(message, undefined, () => run.unread--);
  }

  /** Hands on what waits, for at most `deadline` milliseconds, and lets the process go: it answers what it has begun. */
  async dispose(deadline: number): Promise<void> {
    this.#isOver = true;
    const isEmpty = () => this.#waiting.length === 0 && !this.#run?.underWay.length;
    for (const end = performance.now() + deadline; !isEmpty() && performance.now() < end; ) await sleep(10);
    for (const handle of this.#waiting.splice(0)) handle.close();
    if (this.#run) this.#letGo(this.#run);
  }

  #pass(handle: AcceptedHandle): void {
    const busy = this.#waiting.length + (this.#run?.underWay.length ?? 0) >= WAITING_MAX;
    const run = this.#isOver || busy ? undefined : (this.#run ?? this.#start());
    if (!run) handle.close();
    else if (run.child.isUp) this.#hand(run, handle);
    else this.#waiting.push(handle);
  }

  #start(): Running | undefined {
    if (performance.now() < this.#pausedUntil) return undefined;
    const { program, args, idle } = this.#parts;
    const child = new Child({
      program,
      args: [String(idle), ...args()],
      startDeadline: TAKE_DEADLINE,
      channel: {
        kind: 'messages',
        onUp: () => {
          for (const handle of this.#waiting.splice(0)) this.#hand(run, handle);
        },
        onMessage: (message) => {
          if (message === 'taken') {
            const taken = run.underWay.shift();
            taken?.deadline.clear();
            taken?.handle.close();
          } else if (message === run.handed && this.#run === run) this.#letGo(run);
        },
      },
      onEnd: (end) => this.#ended(run, end),
    });
    const run: Running = { child, handed: 0, unread: 0, underWay: [] };
    this.#run = run;
    return run;
  }

  /** Takes back what the process had not read, and passes it to the next one. */
  #ended(run: Running, { wasUp, code }: ChildEnd): void {
    const left = run.underWay.splice(0);
    for (const { deadline } of left) deadline.clear();
    if (this.#run !== run) return;
    this.#run = undefined;
    this.#parts.emit({ kind: 'attendant-failed', reason: this.#parts.name, code });
    if (!wasUp) this.#pausedUntil = performance.now() + FALLEN_PAUSE;
    for (const handle of [...left.map(({ handle }) => handle), ...this.#waiting.splice(0)]) this.#pass(handle);
  }

  #hand(run: Running, handle: AcceptedHandle): void {
    run.handed++;
    // One that takes nothing any more (it was stopped, it hangs) is ended, and the next one gets what it left.
    const deadline = run.child.killAfter(TAKE_DEADLINE).unref();
    run.underWay.push({ handle, deadline });
    run.child.send('connection', handle);
  }

  /** From here on it gets no connection; it ends by itself. */
  #letGo(run: Running): void {
    this.#run = undefined;
    run.child.release(LEAVE_DEADLINE);
  }
}
