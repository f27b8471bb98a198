import type { Seconds } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { SecretKeeper } from '../../../protocol/secret.ts';
import { type Backend, type Held, heldOf, type Secrets } from '../../backends/backend.ts';
import { copySecrets, disposeSecrets } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import type { OwnRecords } from '../../history/tombstones/own-records.ts';
import type { Entry, UnlockedSet } from '../unlocked/set.ts';
import type { Leases } from './leases.ts';
import type { Lifecycle } from './lifecycle.ts';

/** What is known of a credential beside its target and its value, as far as it changes. */
export type Amendment = Partial<Pick<Held, 'about' | 'made' | 'fronts' | 'frontOnly' | 'shown'>>;

export type ChangesParts = {
  readonly set: UnlockedSet;
  readonly own: OwnRecords;
  readonly leases: Pick<Leases, 'touch' | 'watch'>;
  readonly lifecycle: Pick<Lifecycle, 'backend' | 'backendFor' | 'backendToKeep' | 'isShut' | 'refuseLocked'>;
  readonly keep: SecretKeeper;
  readonly clock: Pick<Clock, 'sinceBoot'>;
};

/**
 * Changes of what is held, each at rest first and then in memory. Run each in the queue of its target (queue.ts). They throw what the
 * backend throws, and nothing has changed then; and `locked` where the store was locked while the change was queued, but for
 * `renew` and `noteOutcome`.
 */
export class Changes {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Keeps a credential durably, then in memory: what is served has been kept. The secrets are borrowed. */
  async put(held: Held, secrets: Secrets): Promise<void> {
    await this.#replace(held, secrets, (copy) => this.#parts.lifecycle.backendFor('store').put(held, copy), {
      resting: held,
      timeout: undefined,
    });
  }

  /** Keeps a credential in memory alone, for `timeout` seconds where that is given; what rested in its place is removed. */
  async putInMemory(held: Held, secrets: Secrets, timeout?: Seconds): Promise<void> {
    const { set, lifecycle } = this.#parts;
    const removeBefore = async () => {
      const before = set.at(held);
      if (before?.resting) await lifecycle.backend!.remove(before.resting);
    };
    await this.#replace(held, secrets, removeBefore, { resting: undefined, timeout });
  }

  /**
   * Puts what a provider gave out in the place of what an entry held, also while a lock waits for that: what the provider has
   * spent meanwhile could not be had again. The lease goes on as it was.
   */
  async renew(entry: Entry, held: Held, secrets: Secrets): Promise<void> {
    const { set, lifecycle, keep } = this.#parts;
    if (entry.resting) await lifecycle.backendToKeep().put(held, secrets);
    set.renew(entry, held, copySecrets(secrets, keep));
  }

  /** Takes over what rests in the place of what an entry held, which is left as it lies there. */
  async adopt(entry: Entry, held: Held, secrets: Secrets): Promise<void> {
    const { set, lifecycle, keep } = this.#parts;
    await lifecycle.backendFor('change').annotate(held);
    set.renew(entry, held, copySecrets(secrets, keep));
  }

  /** Notes what is known of an entry from now on. Its secrets and its lease stay. */
  async amend(entry: Entry, change: Amendment): Promise<void> {
    await this.#note(entry, change, this.#parts.lifecycle.backendFor('change'));
  }

  /** The same of what is known of its token alone. */
  annotate(entry: Entry, about: Held['about']): Promise<void> {
    return this.amend(entry, { about });
  }

  /** Notes what became of a call that a provider or service was asked before, also while a lock waits for that. */
  async noteOutcome(entry: Entry, about: Held['about']): Promise<void> {
    await this.#note(entry, { about }, this.#parts.lifecycle.backend!);
  }

  /** Removes an entry. */
  async remove(entry: Entry): Promise<void> {
    const { set, lifecycle } = this.#parts;
    if (entry.resting) await lifecycle.backend!.remove(entry.resting);
    set.remove(entry);
  }

  /** Moves an entry into a record of our own, out of memory and at rest in one step. */
  async setAside(entry: Entry, record: Held): Promise<void> {
    const { set, own, lifecycle } = this.#parts;
    if (entry.resting && (await lifecycle.backend!.move(entry.resting, record)) && !lifecycle.isShut)
      own.noteMoved(record);
    set.remove(entry);
  }

  /** Makes a credential again of what was set aside. Throws `not_found` where it is gone. */
  async bringBack(record: Held, held: Held): Promise<void> {
    const { set, own, lifecycle } = this.#parts;
    const wasThere = await lifecycle.backendFor('restore').move(record, held);
    own.noteGone(record);
    if (!wasThere) throw new KeyholdError('not_found', 'cannot restore: it is not there any more');
    if (!lifecycle.isShut) set.know(held);
  }

  async #note(entry: Entry, change: Amendment, backend: Pick<Backend, 'annotate'>): Promise<void> {
    const held = { ...heldOf(entry), ...change };
    if (entry.resting) await backend.annotate(held);
    this.#parts.set.note(entry, held);
  }

  /** Takes the place of what was held for the target, once `write` has changed what rests. */
  async #replace(
    held: Held,
    secrets: Secrets,
    write: (copy: Secrets) => Promise<void>,
    { resting, timeout }: { readonly resting: Held | undefined; readonly timeout: Seconds | undefined },
  ): Promise<void> {
    const { set, leases, lifecycle, keep, clock } = this.#parts;
    lifecycle.refuseLocked('store');
    const copy = copySecrets(secrets, keep);
    try {
      await write(copy);
    } catch (error) {
      disposeSecrets(copy);
      throw error;
    }
    if (lifecycle.isShut) {
      // The lease of the key ended while the disk was busy: it is kept, and `unlock` brings it back.
      disposeSecrets(copy);
      return;
    }
    const now = clock.sinceBoot();
    const entry = set.add(held, resting, copy, now, timeout === undefined ? undefined : now + timeout);
    leases.touch(entry);
    leases.watch(entry);
  }
}
