/**
 * Upper ends of the buckets in milliseconds: a get from memory ends in the first, the last are the deadlines of a
 * backend. Few, so that the usual one is found by one comparison.
 */
export const BOUNDS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 100, 250, 1_000, 2_500, 10_000];

/** How many took how long. */
export class Histogram {
  /** One more than there are bounds: the last holds what took longer than all. */
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0);
  #sum = 0;

  /** Adds what took so many milliseconds. */
  observe(milliseconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && milliseconds > BOUNDS[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += milliseconds;
  }

  /** Counts by bucket, not summed up, and the sum of all in seconds. */
  document(): { readonly buckets: readonly number[]; readonly sum: number } {
    return { buckets: this.#counts, sum: this.#sum / 1_000 };
  }
}
