/** Work that must not be cut off when the agent ends: it is waited for, up to a deadline. */
export class UnderWay {
  readonly #all = new Set<Promise<unknown>>();

  /** Answers what it was given. */
  add<T>(work: Promise<T>): Promise<T> {
    const over = () => void this.#all.delete(work);
    this.#all.add(work);
    work.then(over, over);
    return work;
  }

  /** Settles when everything that is under way now has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#all);
  }
}
