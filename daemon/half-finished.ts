import { randomBytes } from 'node:crypto';
import type { Seconds } from '../protocol/credential.ts';
import type { Clock } from './clock.ts';

/** How long something may stay half-finished, how many at a time, and what wipes one that ends unfinished. */
export type HalfFinishedParts<T> = {
  readonly clock: Pick<Clock, 'sinceBoot'>;
  readonly life: Seconds;
  /** Beyond that the oldest ends. */
  readonly max: number;
  readonly dispose: (one: T) => void;
};

/** What waits for a person's next step between two requests: the second one names it by the handle that the first one gave. */
export class HalfFinished<T> {
  readonly #parts: HalfFinishedParts<T>;
  readonly #all = new Map<string, { readonly one: T; readonly until: Seconds }>();

  constructor(parts: HalfFinishedParts<T>) {
    this.#parts = parts;
  }

  /** Keeps it, and answers its handle: 20 hexadecimal digits. */
  add(one: T): string {
    this.#sweep();
    for (const handle of this.#all.keys()) {
      if (this.#all.size < this.#parts.max) break;
      this.end(handle);
    }
    const handle = randomBytes(10).toString('hex');
    this.#all.set(handle, { one, until: this.#parts.clock.sinceBoot() + this.#parts.life });
    return handle;
  }

  /** What a handle names; undefined once its time is over. */
  get(handle: string): T | undefined {
    this.#sweep();
    return this.#all.get(handle)?.one;
  }

  /** Takes it out: from then on its taker wipes it. */
  take(handle: string): T | undefined {
    const one = this.get(handle);
    this.#all.delete(handle);
    return one;
  }

  /** Ends it, and wipes what it holds. */
  end(handle: string): void {
    const found = this.#all.get(handle);
    this.#all.delete(handle);
    if (found) this.#parts.dispose(found.one);
  }

  *[Symbol.iterator](): IterableIterator<T> {
    this.#sweep();
    for (const { one } of this.#all.values()) yield one;
  }

  dispose(): void {
    for (const handle of [...this.#all.keys()]) this.end(handle);
  }

  #sweep(): void {
    for (const [handle, { until }] of this.#all) {
      if (until <= this.#parts.clock.sinceBoot()) this.end(handle);
    }
  }
}
