import type { Seconds } from '../../../protocol/credential.ts';
import type { Clock } from '../../clock.ts';
import { endOf, type Lease, type LeasePolicy, passphrasePolicy } from '../unlocked/lease.ts';
import type { Entry, UnlockedSet } from '../unlocked/set.ts';
import { Sweeper } from '../unlocked/sweeper.ts';

/** The key of the backend in use, as far as leases go by it. */
export type KeyInUse = {
  /** Whether it comes from a passphrase: such a key has a lease of its own, and every lease is as short at most. */
  readonly hasPassphrase: () => boolean;
  /** Whether credentials are served with it now. */
  readonly isOpen: () => boolean;
  /** Locks everything, because its lease has ended. */
  readonly end: () => void;
};

/** How long values may be served from memory: the lease of each, and that of the backend's key. */
export class Leases {
  readonly #set: UnlockedSet;
  readonly #clock: Pick<Clock, 'sinceBoot'>;
  readonly #silent: LeasePolicy;
  readonly #key: KeyInUse;
  readonly #sweeper: Sweeper;
  /** The lease of the backend's key: used with every credential. */
  #keyLease: Lease = { unlockedAt: 0, usedAt: 0 };

  /** `silent` is for a backend that can be read again silently; a passphrase vault has its own, shorter one at most. */
  constructor(set: UnlockedSet, clock: Pick<Clock, 'sinceBoot'>, silent: LeasePolicy, key: KeyInUse) {
    this.#set = set;
    this.#clock = clock;
    this.#silent = silent;
    this.#key = key;
    this.#sweeper = new Sweeper(clock, (now) => this.#sweep(now));
  }

  /** Whether the lease of the backend's key has ended: only a passphrase's does, and the sweep that ends it sleeps in suspend. */
  get isKeyOver(): boolean {
    return this.#key.hasPassphrase() && endOf(this.#keyLease, this.#policy()) <= this.#clock.sinceBoot();
  }

  /** Begins a lease for the backend's key: it was opened, or another took its place. */
  beginKey(): void {
    const now = this.#clock.sinceBoot();
    this.#keyLease = { unlockedAt: now, usedAt: now };
    if (this.#key.hasPassphrase()) this.#sweeper.by(endOf(this.#keyLease, this.#policy()));
  }

  /** Whether the secrets of an entry may be served now; wipes them if their lease is over. */
  isServable(entry: Entry): boolean {
    return this.#set.isServable(entry, this.#policy(), this.#clock.sinceBoot());
  }

  /** Seconds until an entry is wiped from memory if it is not used; undefined if it is not there. It wipes nothing. */
  left(entry: Entry): Seconds | undefined {
    if (entry.lease === undefined) return undefined;
    const left = this.#set.dueAt(entry, this.#policy()) - this.#clock.sinceBoot();
    return left > 0 ? left : undefined;
  }

  /** Notes that an unlocked entry was used. */
  touch(entry: Entry): void {
    const now = this.#clock.sinceBoot();
    entry.lease!.usedAt = now;
    this.#keyLease.usedAt = now;
  }

  /** Sees to it that an unlocked entry is wiped when its lease ends. */
  watch(entry: Entry): void {
    this.#sweeper.by(this.#set.dueAt(entry, this.#policy()));
  }

  dispose(): void {
    this.#sweeper.dispose();
  }

  #policy(): LeasePolicy {
    if (!this.#key.hasPassphrase()) return this.#silent;
    return {
      idle: Math.min(this.#silent.idle, passphrasePolicy.idle),
      max: Math.min(this.#silent.max, passphrasePolicy.max),
    };
  }

  /** Ends what is due. Answers when the next lease ends. */
  #sweep(now: Seconds): Seconds | undefined {
    if (this.#key.isOpen() && this.isKeyOver) this.#key.end();
    const policy = this.#policy();
    const next = this.#set.sweep(policy, now);
    if (!this.#key.hasPassphrase() || !this.#key.isOpen()) return next;
    return Math.min(next ?? Number.POSITIVE_INFINITY, endOf(this.#keyLease, policy));
  }
}
