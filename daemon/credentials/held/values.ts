import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { Held, Secrets } from '../../backends/backend.ts';
import { copySecrets, disposeSecrets } from '../../backends/secrets.ts';
import type { Clock } from '../../clock.ts';
import type { Entry, UnlockedSet } from '../unlocked/set.ts';
import type { Leases } from './leases.ts';
import type { Lifecycle } from './lifecycle.ts';

export type ValuesParts = {
  readonly set: UnlockedSet;
  readonly leases: Pick<Leases, 'isServable' | 'watch'>;
  readonly lifecycle: Pick<Lifecycle, 'backend' | 'isServing'>;
  readonly keep: SecretKeeper;
  readonly clock: Pick<Clock, 'sinceBoot'>;
};

/** The values of what is held, in memory and at rest. access/release.ts alone takes them out. */
export class Values {
  readonly #parts: ValuesParts;
  readonly #reading = new Map<Entry, Promise<void>>();

  constructor(parts: ValuesParts) {
    this.#parts = parts;
  }

  /** Reads an entry's secrets from its backend into memory; concurrent calls share one read. Throws what the backend throws. */
  obtain(entry: Entry): Promise<void> {
    if (entry.resting === undefined) return Promise.resolve();
    let reading = this.#reading.get(entry);
    if (!reading) {
      reading = this.#read(entry, entry.resting).finally(() => this.#reading.delete(entry));
      this.#reading.set(entry, reading);
    }
    return reading;
  }

  /** The secrets of an entry that may be served now (`isServable`), lent until the next await. */
  secretsInMemory({ inMemory }: Entry): Secrets {
    if (inMemory) return inMemory;
    throw new Error('the value is not in memory: it was lent without a look at isServable');
  }

  /** The secrets held for a target, copied: the caller disposes of them. Undefined if they are gone. */
  async secretsOf(held: Held): Promise<Secrets | undefined> {
    const { set, leases, keep } = this.#parts;
    const entry = set.at(held);
    if (!entry) return undefined;
    if (!leases.isServable(entry)) {
      await this.obtain(entry);
      // While we waited it may have been replaced: what stands there now is what is asked for.
      if (set.at(held) !== entry) return this.secretsOf(held);
    }
    return entry.inMemory && copySecrets(entry.inMemory, keep);
  }

  /** The same for a comparison: what is not in memory is read, and does not stay there. */
  async secretsAside(entry: Entry): Promise<Secrets | undefined> {
    const { leases, lifecycle, keep } = this.#parts;
    if (leases.isServable(entry)) return copySecrets(entry.inMemory!, keep);
    const secrets = await this.secretsAtRest(entry);
    if (secrets && lifecycle.isServing) return secrets;
    if (secrets) disposeSecrets(secrets);
    return undefined;
  }

  /** What rests for an entry now, the caller's to dispose of: another program may have put it there. */
  async secretsAtRest(entry: Entry): Promise<Secrets | undefined> {
    return entry.resting && (await this.#parts.lifecycle.backend!.get(entry.resting));
  }

  async #read(entry: Entry, resting: Held): Promise<void> {
    const { set, leases, lifecycle, clock } = this.#parts;
    const secrets = await lifecycle.backend!.get(resting);
    if (secrets) {
      set.unlock(entry, secrets, clock.sinceBoot());
      // Replaced while it was read, it has no lease.
      if (entry.lease) leases.watch(entry);
    } else if (set.at(entry) === entry) set.remove(entry); // taken away behind our back
  }
}
