/** Runs tasks for one key one after the other, in the order they were given; different keys do not wait for each other. */
export class Serial {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    // A task that failed has told its own caller; the next one starts all the same.
    const mine = before ? before.then(task, task) : task();
    this.#tails.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    }
  }

  /** Settles when everything given so far has ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
  }
}
