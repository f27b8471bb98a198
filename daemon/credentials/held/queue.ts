import { identityOf, type Target } from '../../../protocol/credential.ts';
import { Serial } from '../serial.ts';

/** How far work is that keeps changes waiting. */
export type Underway = {
  readonly what: 'open' | 'migrate' | 'backup' | 'restore';
  readonly done: number;
  readonly total: number;
};

/** Changes of what is held: those of one target run one after the other, those of different targets side by side. */
export class TargetQueue {
  readonly #serial = new Serial();
  /** Settles when the work that holds changes back has ended, while there is some. */
  #gate: Promise<void> | undefined;

  /** Runs a change of one target after those that were queued for it before. Rejects as `change` does. */
  run<T>(target: Target, change: () => Promise<T>): Promise<T> {
    const gate = this.#gate;
    if (gate) return gate.then(() => this.run(target, change));
    // What a front keeps for a target of its own waits for the rest of that target.
    return this.#serial.run(identityOf({ ...target, front: undefined }), change);
  }

  /** Runs work over everything: changes that were queued before have ended, and later ones wait until it has. */
  async holdBack(work: () => Promise<void>): Promise<void> {
    const gate = Promise.withResolvers<void>();
    this.#gate = gate.promise;
    try {
      await this.idle();
      await work();
    } finally {
      this.#gate = undefined;
      gate.resolve();
    }
  }

  /** Settles when every change that was queued has ended. One turn of the loop first: some are queued and have not begun yet. */
  async idle(): Promise<void> {
    await new Promise(setImmediate);
    await this.#serial.idle();
  }
}
