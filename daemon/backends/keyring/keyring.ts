import { type FaultCode, KeyholdError } from '../../../protocol/errors.ts';
import { expose, type Secret, type SecretKeeper } from '../../../protocol/secret.ts';
import type { Clock } from '../../clock.ts';
import type { Backend, Degradation, Held, Secrets, UnlockMeans } from '../backend.ts';
import { Breaker } from './breaker.ts';
import { Burst, CALL_DEADLINE, type ChildOptions } from './burst.ts';
import { degradationsOf } from './degradations.ts';
import type { Index, Items, Row } from './held-index.ts';
import { openIndexWith } from './index-key.ts';
import { changedNothing, itemsBy, type KeyringItems } from './items.ts';
import { markOf } from './marks.ts';
import { INDEX_KEY_ITEM, type ItemName, itemOf, refreshItemOf } from './names.ts';
import { forget, reconcile, settle } from './settle.ts';
import { unlockBy } from './unlock.ts';

export type KeyringOptions = ChildOptions & {
  /** The sealed index: what is held, without secrets. Its folder is there. */
  readonly file: string;
  readonly keep: SecretKeeper;
  readonly clock: Pick<Clock, 'sinceBoot'>;
  /** Milliseconds that a call may take once it is its turn. @default {CALL_DEADLINE} */
  readonly deadline?: number | undefined;
};

/**
 * The person's own keyring, by the Secret Service. It never fails at opening: a keyring that is locked, hung or absent
 * is told by the first call, and may be there at the next.
 *
 * A put writes the row, then the items, then the row again; a remove marks the row, removes the items, then the row. So
 * whatever dies in between, the row says what to look for. A remove that the keyring refuses has marked its row all the
 * same: the credential is not served again, and its items go as soon as the keyring lets them.
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
  readonly #burst: Burst;
  /** Present once its key was read. */
  #index: Index | undefined;
  #reconciled = false;
  #locked = false;
  /** Counts locks, so that an unlock under way when one happens comes to nothing. */
  #locks = 0;
  #trouble: FaultCode | undefined;
  /** The child that asks the person, and the unlock that waits for it: one prompt at a time. */
  #asking: Burst | undefined;
  #unlocking: Promise<void> | undefined;
  /** Calls are made one at a time: two for one target in their order, and none waits twice for a hung keyring. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KeyringOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.clock);
    this.#burst = new Burst({ ...options, mayPrompt: false }, this.#breaker);
  }

  degradations(): readonly Degradation[] {
    return degradationsOf(this.#trouble);
  }

  list(): Promise<readonly Held[]> {
    return this.#inOrder(async (index) =>
      index
        .rows()
        .filter(({ progress }) => progress.state !== 'removing')
        .map(({ held }) => held),
    );
  }

  get(held: Held): Promise<Secrets | undefined> {
    return this.#inOrder(async (index, items) => {
      const row = await settled(held, index, items);
      if (!row) return undefined;
      const secret = row.items.secret ? await this.#read(items, itemOf(held)) : undefined;
      if (row.items.secret && !secret) {
        await this.#theirRemoval(row.held, index, items);
        return undefined;
      }
      try {
        return {
          secret,
          refreshToken: row.items.refreshToken ? await this.#read(items, refreshItemOf(held)) : undefined,
        };
      } catch (error) {
        secret?.dispose();
        throw error;
      }
    });
  }

  put(held: Held, secrets: Secrets): Promise<void> {
    const secret = secrets.secret && expose(secrets.secret);
    const refreshToken = secrets.refreshToken && expose(secrets.refreshToken);
    return this.#inOrder(async (index, items) => {
      const was = await settled(held, index, items);
      index.write(held, {
        state: 'putting',
        secret: secret && markOf(secret),
        refreshToken: refreshToken && markOf(refreshToken),
        was,
      });
      let begun = false;
      try {
        await replace(items, itemOf(held), secret, was?.items.secret);
        begun = true;
        await replace(items, refreshItemOf(held), refreshToken, was?.items.refreshToken);
      } catch (error) {
        if (!begun && changedNothing(error)) {
          if (was) index.write(was.held, { state: 'whole', items: was.items });
          else index.drop(held);
        }
        throw error;
      }
      index.write(held, {
        state: 'whole',
        items: { secret: secret !== undefined, refreshToken: refreshToken !== undefined },
      });
    }).finally(() => {
      secret?.fill(0);
      refreshToken?.fill(0);
    });
  }

  annotate(held: Held): Promise<void> {
    return this.#inOrder(async (index, items) => {
      const now = await settled(held, index, items);
      if (now) index.write(held, { state: 'whole', items: now.items });
    });
  }

  remove(held: Held): Promise<void> {
    return this.#inOrder(async (index, items) => {
      const row = index.find(held);
      if (row) await forget(row, index, items);
    });
  }

  unlock({ mayPrompt }: UnlockMeans): Promise<void> {
    if (!mayPrompt) return this.#unlock(new Burst({ ...this.#options, mayPrompt }), mayPrompt);
    this.#asking ??= new Burst({ ...this.#options, mayPrompt });
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
  async #unlock(asking: Burst, mayPrompt: boolean): Promise<void> {
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
    const called = performance.now();
    const done = this.#last.then(async () => {
      if (this.#locked) throw new KeyholdError('backend_locked', 'cannot use the keyring: keyhold is locked');
      // Those who wait for one slow start wait for it together.
      const items = itemsBy(this.#burst, this.#burst.ready ? deadline : deadline - (performance.now() - called));
      try {
        const answer = await work(await this.#opened(items), items);
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

  async #opened(items: KeyringItems): Promise<Index> {
    this.#index ??= await openIndexWith(items, this.#options);
    if (!this.#reconciled) await reconcile(this.#index, items);
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

/** What stands for a target once nothing about it is in the middle; undefined if nothing does. */
async function settled(
  held: Held,
  index: Index,
  items: KeyringItems,
): Promise<{ held: Held; items: Items } | undefined> {
  const row = index.find(held);
  if (row) await settle(row, index, items);
  const now: Row | undefined = index.find(held);
  return now?.progress.state === 'whole' ? { held: now.held, items: now.progress.items } : undefined;
}

async function replace(items: KeyringItems, name: ItemName, value: Uint8Array | undefined, had = false): Promise<void> {
  if (value !== undefined) await items.set(name, value);
  else if (had) await items.remove(name);
}

function lockedAgain(): KeyholdError {
  return new KeyholdError('backend_locked', 'cannot unlock the keyring: it was locked again meanwhile');
}
