import type { Seconds } from '../../../protocol/credential.ts';
import type { Clock } from '../../clock.ts';

/** Seconds that calls fail at once after a first hang, and at most after many in a row. */
const BREAK_FIRST: Seconds = 5;
const BREAK_MOST: Seconds = 60;

/**
 * A circuit breaker: after a hang nobody waits for the same thing again for a while, twice as long after each further
 * one. Then one call finds out, because calls are made one at a time.
 */
export class Breaker {
  readonly #clock: Pick<Clock, 'sinceBoot'>;
  #pause: Seconds = 0;
  #until: Seconds = 0;

  constructor(clock: Pick<Clock, 'sinceBoot'>) {
    this.#clock = clock;
  }

  /** Whether calls must fail at once. */
  get open(): boolean {
    return this.#clock.sinceBoot() < this.#until;
  }

  hung(): void {
    this.#pause = this.#pause === 0 ? BREAK_FIRST : Math.min(this.#pause * 2, BREAK_MOST);
    this.#until = this.#clock.sinceBoot() + this.#pause;
  }

  answered(): void {
    this.#pause = 0;
    this.#until = 0;
  }
}
