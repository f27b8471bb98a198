import type { Native } from './native/native.ts';

const flags = [
  '--heap-growing-percent=20',
  '--no-maglev',
  '--invocation-count-for-turbofan=100',
  '--no-use-osr',
  '--no-allocation-site-pretenuring',
];

/**
 * Tells V8 how to live with few requests, in a process that stays. Sparing: by itself it lets the heap grow fourfold
 * before it looks through all of it: fit for a batch job, not for us. Without its middle compiler there is less code of
 * it and by it in memory. Seen, holding 10,000, after 42,000 gets: 124 MiB before and 90 after, with no difference in
 * speed that stood out from the noise. And early: by itself it optimizes after thousands of calls, which is days of a
 * person's gets. Whoever asks now and then finds cold caches, and optimized code is less to fetch into them (ADR 0021).
 *
 * Not among the launcher's flags: V8 takes compiled code from a cache only under the flags that it was made under. So
 * it is called once everything is loaded.
 */
export function settleIn(): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of flags) setFlagsFromString(flag);
}

/** Milliseconds without a request after which a burst of so many is over: it leaves more behind than a look costs. */
const BURST_OVER = 1_000;
const BURST = 5_000;
/** Requests between two looks that may become a burst. */
const BRISK = 250;
/** Milliseconds without a request after which the agent counts as idle, however few there were. */
const IDLE_AFTER = 30_000;

/**
 * Gives memory back once nobody asks any more: pages, and after a burst of requests what it left behind on the heap.
 * Collecting that takes some tens of milliseconds and costs the compiled code too, so it is done once after each burst,
 * never within one, and never for a few. An agent that nobody asks has no timer, and wakes nobody's processor.
 */
export class Thrift {
  readonly #native: Pick<Native, 'giveBack'> | undefined;
  readonly #collect: () => void;
  #requests = 0;
  /** How many there had been at the last look, and when memory last went back. */
  #seen = 0;
  #gaveBackAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(native: Pick<Native, 'giveBack'> | undefined, collectHeap = collect) {
    this.#native = native;
    this.#collect = collectHeap;
  }

  /** A request has come. On the way of every get, so it counts and compares, no more. */
  readonly came = (): void => {
    this.#requests++;
    if (this.#timer === undefined) this.#lookAfter(BURST_OVER);
  };

  #lookAfter(delay: number): void {
    this.#seen = this.#requests;
    this.#timer = setTimeout(() => {
      const isBurst = this.#requests - this.#gaveBackAt >= BURST;
      const came = this.#requests - this.#seen;
      if (came === 0 && (isBurst || delay === IDLE_AFTER)) this.#giveBack(isBurst);
      else this.#lookAfter(isBurst || came >= BRISK ? BURST_OVER : IDLE_AFTER);
    }, delay).unref();
  }

  #giveBack(isBurst: boolean): void {
    this.#timer = undefined;
    this.#gaveBackAt = this.#requests;
    if (isBurst) this.#collect();
    this.#native?.giveBack();
  }
}

/** V8 lends its collector by a flag only, and shows it in contexts that are made afterwards. */
export function collect(): void {
  process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
  const gc = process.getBuiltinModule('node:vm').runInNewContext('gc') as NodeJS.GCFunction;
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
