import { setImmediate as turnOfTheLoop } from 'node:timers/promises';

/**
 * Milliseconds that long work takes the event loop for before it gives it back. DESIGN.md §7 bounds a slice at 20 ms; a tenth
 * of that keeps a request that comes meanwhile within a few milliseconds, and a turn of the loop costs microseconds.
 */
export const SLICE = 2;

/** How far long work has come: how many of how many. */
export type Progress = (done: number, total: number) => void;

/**
 * Long work in slices: `if (slices.isOver) await slices.next()` between two of its steps, each of which must be short. What
 * arrived on sockets is read and answered in between.
 */
export class Slices {
  readonly #milliseconds: number;
  readonly #now: () => number;
  #until: number;

  constructor(milliseconds = SLICE, now: () => number = () => performance.now()) {
    this.#milliseconds = milliseconds;
    this.#now = now;
    this.#until = now() + milliseconds;
  }

  /** Whether this slice has had its time. */
  get isOver(): boolean {
    return this.#now() >= this.#until;
  }

  /** Lets the event loop turn once, and begins the next slice. */
  async next(): Promise<void> {
    await turnOfTheLoop();
    this.#until = this.#now() + this.#milliseconds;
  }
}

/** Calls `step` for each item, in slices. */
export async function inSlices<T>(items: Iterable<T>, step: (item: T) => void): Promise<void> {
  const slices = new Slices();
  for (const item of items) {
    step(item);
    if (slices.isOver) await slices.next();
  }
}

/** What `of` answers for each item, as a set that is made in slices. */
export async function setInSlices<T, V>(items: Iterable<T>, of: (item: T) => V): Promise<Set<V>> {
  const set = new Set<V>();
  await inSlices(items, (item) => set.add(of(item)));
  return set;
}

/** The items that `accepts` takes, picked in slices. */
export async function filterInSlices<T>(items: Iterable<T>, accepts: (item: T) => boolean): Promise<T[]> {
  const taken: T[] = [];
  await inSlices(items, (item) => {
    if (accepts(item)) taken.push(item);
  });
  return taken;
}
