/**
 * A deadline for I/O. Node runs timers before it reads what has arrived, so after a pause in our own work (a long
 * calculation, a sleeping machine) a plain timer fires although the answer is there already. This one lets the event
 * loop read once more before it calls `onLate`: what has arrived by then comes first, and its listener calls `clear`.
 */
export class IoDeadline {
  readonly #timer: NodeJS.Timeout;
  #reading: NodeJS.Immediate | undefined;

  /** `onLate` is called once, after `milliseconds` at the earliest, unless `clear` was called. */
  constructor(milliseconds: number, onLate: () => void) {
    // Immediates run right after the loop has polled for I/O (libuv's check phase).
    this.#timer = setTimeout(() => {
      this.#reading = setImmediate(onLate);
    }, milliseconds);
  }

  /** The answer came: `onLate` is not called. */
  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#reading);
  }

  /** Does not keep the process from ending (`NodeJS.Timeout.unref`). */
  unref(): this {
    this.#timer.unref();
    return this;
  }
}
