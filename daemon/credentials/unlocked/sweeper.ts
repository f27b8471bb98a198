import type { Seconds } from '../../../protocol/credential.ts';
import type { Clock } from '../../clock.ts';

/** Timers stand still in suspend and leases do not, so a sweep looks at least so often while anything can end. */
const AT_LEAST_EVERY: Seconds = 60;

/** One timer for the next lease that ends. `sweep` ends what is due and answers when the next one is, if any. */
export class Sweeper {
  readonly #clock: Pick<Clock, 'sinceBoot'>;
  readonly #sweep: (now: Seconds) => Seconds | undefined;
  readonly #atLeastEvery: Seconds;
  #timer: NodeJS.Timeout | undefined;
  #at: Seconds | undefined;

  constructor(
    clock: Pick<Clock, 'sinceBoot'>,
    sweep: (now: Seconds) => Seconds | undefined,
    atLeastEvery: Seconds = AT_LEAST_EVERY,
  ) {
    this.#clock = clock;
    this.#sweep = sweep;
    this.#atLeastEvery = atLeastEvery;
  }

  /** Looks no later than `due`, on the boot-time clock. */
  by(due: Seconds): void {
    const now = this.#clock.sinceBoot();
    const at = Math.min(due, now + this.#atLeastEvery);
    if (this.#at !== undefined && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => this.#look(), Math.max(at - now, 0) * 1_000 + 10);
    this.#timer.unref();
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#at = undefined;
    const next = this.#sweep(this.#clock.sinceBoot());
    if (next !== undefined) this.by(next);
  }
}
