import type { Clock } from '../../daemon/clock.ts';

/** A clock that stands until it is told to go. Both of its hands move together. */
export class FakeClock implements Clock {
  #now: number;
  #sinceBoot = 1_000;

  /** Starts at `at`, in ISO 8601. */
  constructor(at = '2030-01-01T00:00:00Z') {
    this.#now = Date.parse(at) / 1_000;
  }

  now(): number {
    return Math.floor(this.#now);
  }

  sinceBoot(): number {
    return this.#sinceBoot;
  }

  advance(seconds: number): void {
    this.#now += seconds;
    this.#sinceBoot += seconds;
  }

  /** Moves the wall clock only. */
  set(at: string): void {
    this.#now = Date.parse(at) / 1_000;
  }
}
