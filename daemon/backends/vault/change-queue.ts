import type { RecordChange } from './records.ts';

/** Changes that one transaction makes at most: with its fsync it takes some milliseconds. */
const TRANSACTION = 32;

type Waiting = { readonly change: RecordChange; readonly done: PromiseWithResolvers<void> };

/** How changes are made: one by itself, or several in one transaction, all or none of them. */
export type Changes = { readonly one: (change: RecordChange) => void; readonly all: (changes: RecordChange[]) => void };

/**
 * Makes changes that come within one turn of the event loop in one transaction, because each transaction waits for the disk.
 * Every change is durable when its promise settles. One that fails does not keep the others of its transaction from being made.
 */
export class ChangeQueue {
  readonly #changes: Changes;
  #waiting: Waiting[] = [];
  #turn: NodeJS.Immediate | undefined;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  /** Makes a change after those that came before it. What it refers to is borrowed until the promise settles. */
  add(change: RecordChange): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ change, done });
    this.#turn ??= setImmediate(() => this.#next());
    return done.promise;
  }

  /** Makes everything that waits, before it returns: for whatever must find it made. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    while (this.#waiting.length > 0) this.#make(this.#waiting.splice(0, TRANSACTION));
  }

  #next(): void {
    this.#turn = undefined;
    this.#make(this.#waiting.splice(0, TRANSACTION));
    if (this.#waiting.length > 0) this.#turn = setImmediate(() => this.#next());
  }

  #make(batch: readonly Waiting[]): void {
    const { one, all } = this.#changes;
    try {
      if (batch.length === 1) one(batch[0]!.change);
      else all(batch.map(({ change }) => change));
      for (const { done } of batch) done.resolve();
    } catch (error) {
      if (batch.length === 1) batch[0]!.done.reject(error);
      else for (const single of batch) this.#make([single]);
    }
  }
}
