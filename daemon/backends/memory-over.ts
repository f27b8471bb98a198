import { identityOf } from '../../protocol/credential.ts';
import { isOwn } from '../history/tombstones/own-records.ts';
import { inSlices, type Progress } from '../slices.ts';
import { type Backend, type Degradation, type Held, isErased, type Secrets, type UnlockMeans } from './backend.ts';
import { disposeSecrets } from './secrets.ts';

/**
 * The memory backend while the backend before it still has the copies that a migrate carried from there, so that the migrate can be
 * undone (ADR 0041). What is replaced, changed or removed is so in the copy first: nothing that was erased or overwritten comes
 * back. What is stored anew lives in memory only. Our own records are kept in both.
 */
export class MemoryOver implements Backend {
  readonly name = 'memory';
  readonly durable = false;
  readonly needsPassphrase = false;
  readonly before: Backend;
  readonly #memory: Backend;
  /** What the backend before still has, by identity. */
  readonly #copies: Map<string, Held>;
  #isForgotten = false;
  /** The copies are not ours to touch: everything is being carried back to where they are. */
  #isReleased = false;

  private constructor(memory: Backend, before: Backend, copies: Map<string, Held>) {
    this.#memory = memory;
    this.before = before;
    this.#copies = copies;
  }

  /** Over a backend that has these copies of what is in memory. */
  static async begin(memory: Backend, before: Backend, copies: Iterable<Held>): Promise<MemoryOver> {
    const byIdentity = new Map<string, Held>();
    await inSlices(copies, (held) => byIdentity.set(identityOf(held), held));
    return new MemoryOver(memory, before, byIdentity);
  }

  /** How many copies of credentials are still at rest. */
  get copies(): number {
    let count = 0;
    for (const held of this.#copies.values()) if (!isOwn(held)) count++;
    return count;
  }

  degradations(): readonly Degradation[] {
    if (this.#copies.size === 0) return this.before.degradations();
    return [
      ...this.before.degradations(),
      {
        code: 'memory-copies',
        what: `credentials are held in memory only, and ${this.copies} copies stay in the backend ${this.before.name} for a day`,
        remedy: 'to go back, run: keyhold backend undo; to remove the copies now: keyhold backend undo --drop',
      },
    ];
  }

  async list(progress?: Progress): Promise<readonly Held[]> {
    // A lock has forgotten what was in memory: the copies are what there is.
    return this.#isForgotten && !this.#isReleased ? this.before.list(progress) : this.#memory.list(progress);
  }

  async get(held: Held): Promise<Secrets | undefined> {
    const secrets = await this.#memory.get(held);
    return secrets ?? (this.#copyOf(held) && this.before.get(held));
  }

  async put(held: Held, secrets: Secrets): Promise<void> {
    const copy = this.#copyOf(held);
    if (isOwn(held) && !this.#isReleased) {
      await this.before.put(held, secrets);
      this.#copies.set(identityOf(held), held);
    } else if (copy) await this.#removeCopy(copy);
    await this.#memory.put(held, secrets);
  }

  async annotate(held: Held): Promise<void> {
    if (this.#copyOf(held)) {
      await this.before.annotate(held);
      this.#copies.set(identityOf(held), held);
    }
    await this.#memory.annotate(held);
  }

  async remove(held: Held): Promise<void> {
    const copy = this.#copyOf(held);
    if (copy) await this.#removeCopy(copy);
    await this.#memory.remove(held);
  }

  async move(from: Held, to: Held): Promise<boolean> {
    const copy = this.#copyOf(from);
    if (copy && (await this.before.move(from, to))) {
      this.#copies.delete(identityOf(from));
      this.#copies.set(identityOf(to), to);
      const moved = await this.#memory.move(from, to);
      // Read from the copy where a lock has forgotten what was in memory.
      return moved || this.#isForgotten;
    }
    // A credential that is in memory only goes into a bin that is in memory only, too.
    if (!isErased(from)) {
      const other = this.#copyOf(to);
      if (other) await this.#removeCopy(other);
    }
    return this.#memory.move(from, to);
  }

  async unlock(means: UnlockMeans): Promise<void> {
    await this.#memory.unlock(means);
  }

  lock(): void {
    this.#memory.lock();
    this.#isForgotten = true;
  }

  /** The backend before, to carry everything back to it: from here on its copies are not touched from here. */
  release(): Backend {
    this.#isReleased = true;
    return this.before;
  }

  /** Takes the backend before back, where carrying to it did not succeed. */
  takeBack(): void {
    this.#isReleased = false;
  }

  /**
   * Removes the copies for good: each one whose value is in memory, and our own records. Answers how many credentials' copies were not
   * removed, because their value is not in memory or the backend failed.
   */
  async drop(): Promise<number> {
    let left = 0;
    for (const held of [...this.#copies.values()]) {
      const isSafe = isOwn(held) || (await this.#isInMemory(held));
      const isGone =
        isSafe &&
        (await this.#removeCopy(held).then(
          () => true,
          () => false,
        ));
      if (!isGone && !isOwn(held)) left++;
      await new Promise(setImmediate);
    }
    return left;
  }

  async dispose(): Promise<void> {
    await this.#memory.dispose();
    if (!this.#isReleased) await this.before.dispose();
  }

  #copyOf(held: Held): Held | undefined {
    return this.#isReleased ? undefined : this.#copies.get(identityOf(held));
  }

  async #removeCopy(copy: Held): Promise<void> {
    await this.before.remove(copy);
    this.#copies.delete(identityOf(copy));
  }

  async #isInMemory(held: Held): Promise<boolean> {
    const [here, there] = [await this.#memory.get(held), await this.before.get(held)];
    try {
      // A copy that is gone already is no reason to keep it.
      if (!there) return true;
      return isSame(here?.secret, there.secret) && isSame(here?.refreshToken, there.refreshToken);
    } finally {
      if (here) disposeSecrets(here);
      if (there) disposeSecrets(there);
    }
  }
}

function isSame(one: Secrets['secret'], other: Secrets['secret']): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
