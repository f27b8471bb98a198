import { type FaultCode, KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import type { Clock } from '../../clock.ts';
import type { Progress as Slices } from '../../slices.ts';
import { type Backend, type Degradation, type Held, isErased, type Secrets, type UnlockMeans } from '../backend.ts';
import { disposeSecrets } from '../secrets.ts';
import { Breaker } from './breaker.ts';
import { degradationsOf, rebuiltDegradation } from './degradations.ts';
import { type Index, SEALED } from './held-index.ts';
import { openIndexWith } from './index-key.ts';
import { itemsBy, type KeyringItems } from './items.ts';
import { CALL_DEADLINE, type ChildOptions, KeyringProcess } from './keyring-process.ts';
import { INDEX_KEY_ITEM, type ItemName, itemOf, refreshItemOf } from './names.ts';
import type { Rebuilt } from './rebuild.ts';
import { forget, reconcile } from './settle.ts';
import { unlockBy } from './unlock.ts';
import { exposeBoth, settled, type Whole, wipeBoth, write } from './write.ts';

export type KeyringOptions = ChildOptions & {
  /** The sealed index: what is held, without secrets. Its folder is there. */
  readonly file: string;
  readonly keep: SecretKeeper;
  readonly clock: Pick<Clock, 'sinceBoot'>;
  /** Whether credentials rested here when this agent started: an index that is missing then was lost. @default {false} */
  readonly isExpected?: boolean | undefined;
  /** Milliseconds that a call may take once it is its turn. @default {CALL_DEADLINE} */
  readonly deadline?: number | undefined;
};

/**
 * The person's own keyring, by the Secret Service. It never fails at opening: a keyring that is locked, hung or absent
 * is told by the first call, and may be there at the next.
 *
 * A put writes the row, then the items, then the row again; a remove marks the row, removes the items, then the row. So
 * whatever dies in between, the row says what to look for. A remove that the keyring refuses has marked its row all the
 * same: the credential is not served again, and its items go as soon as the keyring lets them. What lies in the restore bin
 * rests in the index with its secrets, and never in an item.
 *
 * Another program's item with the same service and username is the same item: a put replaces its value.
 */
export async function openKeyring(options: KeyringOptions): Promise<Backend> {
  return new KeyringBackend(options);
}

class KeyringBackend implements Backend {
  readonly name = 'keyring';
  readonly durable = true;
  readonly needsPassphrase = false;

  readonly #options: KeyringOptions;
  readonly #breaker: Breaker;
  readonly #burst: KeyringProcess;
  /** Present once its key was read. */
  #index: Index | undefined;
  #reconciled = false;
  #locked = false;
  /** Counts locks, so that an unlock under way when one happens comes to nothing. */
  #locks = 0;
  #trouble: FaultCode | undefined;
  /** How many were found again, where the index was lost when this agent opened it. */
  #rebuilt: Rebuilt | undefined;
  /** Told how far a rebuild is, by the call that lists. */
  #listing: Slices | undefined;
  /** The child that asks the person, and the unlock that waits for it: one prompt at a time. */
  #asking: KeyringProcess | undefined;
  #unlocking: Promise<void> | undefined;
  /** Calls are made one at a time: two for one target in their order, and none waits twice for a hung keyring. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KeyringOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.clock);
    this.#burst = new KeyringProcess({ ...options, mayPrompt: false }, this.#breaker);
  }

  degradations(): readonly Degradation[] {
    const trouble = degradationsOf(this.#trouble);
    return this.#rebuilt ? [...trouble, rebuiltDegradation(this.#options.file, this.#rebuilt)] : trouble;
  }

  list(progress?: Slices): Promise<readonly Held[]> {
    this.#listing = progress;
    return this.#inOrder(async (index) =>
      index
        .rows()
        .filter(({ progress }) => progress.state !== 'removing')
        .map(({ held }) => held),
    );
  }

  get(held: Held): Promise<Secrets | undefined> {
    return this.#inOrder(async (index, items) => {
      if (isErased(held)) return index.secrets(held);
      const row = await settled(held, index, items);
      return row && this.#secretsOf(row, index, items);
    });
  }

  put(held: Held, secrets: Secrets): Promise<void> {
    const values = exposeBoth(secrets);
    return this.#inOrder(async (index, items) => {
      if (isErased(held)) index.apply([{ write: held, progress: SEALED, secrets }]);
      else await write(held, values, index, items);
    }).finally(() => wipeBoth(values));
  }

  annotate(held: Held): Promise<void> {
    return this.#inOrder(async (index, items) => {
      if (isErased(held)) return index.annotate(held);
      const now = await settled(held, index, items);
      if (now) index.write(held, { state: 'whole', items: now.items });
    });
  }

  remove(held: Held): Promise<void> {
    return this.#inOrder(async (index, items) => {
      const row = index.find(held);
      if (row && isErased(held)) index.drop(held);
      else if (row) await forget(row, index, items);
    });
  }

  /**
   * Into the bin: one transaction of the index seals the value and marks the row, and then the item goes. Out of it: the item is
   * written as by a put, and one transaction makes the row whole and drops the record of the bin.
   */
  move(from: Held, to: Held): Promise<boolean> {
    return this.#inOrder(async (index, items) => {
      if (isErased(from)) return this.#bringBack(from, to, index, items);
      const row = await settled(from, index, items);
      const secrets = row && (await this.#secretsOf(row, index, items));
      if (!secrets) return false;
      try {
        index.apply([
          { write: to, progress: SEALED, secrets },
          { write: row.held, progress: { state: 'removing' } },
        ]);
      } finally {
        disposeSecrets(secrets);
      }
      try {
        await forget({ held: row.held, progress: { state: 'removing' } }, index, items);
      } catch (error) {
        // It has left: the row is not held any more, and its items go at the next opening if not before.
        this.#notice(error);
      }
      return true;
    });
  }

  unlock({ mayPrompt }: UnlockMeans): Promise<void> {
    if (!mayPrompt) return this.#unlock(new KeyringProcess({ ...this.#options, mayPrompt }), mayPrompt);
    this.#asking ??= new KeyringProcess({ ...this.#options, mayPrompt });
    this.#unlocking ??= this.#unlock(this.#asking, mayPrompt).finally(() => {
      this.#asking = undefined;
      this.#unlocking = undefined;
    });
    return this.#unlocking;
  }

  lock(): void {
    this.#locked = true;
    this.#locks++;
    this.#asking?.abandon();
    // A file that cannot be closed properly is read anew at the next call all the same.
    this.#last = this.#last.then(() => this.#close()).catch(() => {});
  }

  async dispose(): Promise<void> {
    this.lock();
    await this.#last;
    await this.#burst.dispose();
  }

  /** By a child of its own: other callers hear "locked" at once while the person is asked. */
  async #unlock(asking: KeyringProcess, mayPrompt: boolean): Promise<void> {
    const locks = this.#locks;
    try {
      await unlockBy(asking, mayPrompt, this.#options.deadline);
    } catch (error) {
      if (this.#locks !== locks) throw lockedAgain();
      this.#notice(error);
      throw error;
    } finally {
      await asking.dispose();
    }
    if (this.#locks !== locks) throw lockedAgain();
    this.#locked = false;
    this.#breaker.answered();
    await this.#inOrder(async () => {});
  }

  #inOrder<T>(work: (index: Index, items: KeyringItems) => Promise<T>): Promise<T> {
    const { deadline = CALL_DEADLINE } = this.#options;
    const asked = performance.now();
    const done = this.#last.then(async () => {
      if (this.#locked) throw new KeyholdError('backend_locked', 'cannot use the keyring: keyhold is locked');
      const begin = () => itemsBy(this.#burst, deadline, asked, this.#index?.count());
      try {
        const index = await this.#opened(begin);
        const answer = await work(index, begin());
        this.#trouble = undefined;
        return answer;
      } catch (error) {
        this.#notice(error);
        throw error;
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async #bringBack(from: Held, to: Held, index: Index, items: KeyringItems): Promise<boolean> {
    const secrets = index.secrets(from);
    if (!secrets) return false;
    const values = exposeBoth(secrets);
    try {
      await write(to, values, index, items, [{ drop: from }]);
    } finally {
      wipeBoth(values);
      disposeSecrets(secrets);
    }
    return true;
  }

  /** The secrets of a row that is whole; undefined if the person has removed its item. */
  async #secretsOf({ held, items: has }: Whole, index: Index, items: KeyringItems): Promise<Secrets | undefined> {
    const secret = has.secret ? await this.#read(items, itemOf(held)) : undefined;
    if (has.secret && !secret) {
      await this.#theirRemoval(held, index, items);
      return undefined;
    }
    try {
      return { secret, refreshToken: has.refreshToken ? await this.#read(items, refreshItemOf(held)) : undefined };
    } catch (error) {
      secret?.dispose();
      throw error;
    }
  }

  async #opened(begin: () => KeyringItems): Promise<Index> {
    this.#index ??= await openIndexWith(begin, this.#options, (rebuilt) => (this.#rebuilt = rebuilt), this.#listing);
    if (!this.#reconciled) await reconcile(this.#index, begin);
    this.#reconciled = true;
    return this.#index;
  }

  async #read(items: KeyringItems, name: ItemName): Promise<Secret | undefined> {
    const value = await items.get(name);
    if (value === undefined) return undefined;
    const secret = this.#options.keep(value);
    value.fill(0);
    return secret;
  }

  /** The item is gone. That is the person's doing only if this is still the keyring that we know. */
  async #theirRemoval(held: Held, index: Index, items: KeyringItems): Promise<void> {
    const [ours] = await items.exist([INDEX_KEY_ITEM]);
    if (!ours) {
      throw new KeyholdError('backend_absent', 'cannot use the keyring: another one is open; open the one from before');
    }
    await forget({ held, progress: { state: 'removing' } }, index, items);
  }

  #notice(error: unknown): void {
    if (error instanceof KeyholdError) this.#trouble = error.code;
  }

  #close(): void {
    this.#index?.close();
    this.#index = undefined;
    this.#reconciled = false;
  }
}

function lockedAgain(): KeyholdError {
  return new KeyholdError('backend_locked', 'cannot unlock the keyring: it was locked again meanwhile');
}
