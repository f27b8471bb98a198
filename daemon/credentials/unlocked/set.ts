import { type Choosable, compareChoice } from '../../../protocol/choice.ts';
import { identityOf, type Seconds, type Target } from '../../../protocol/credential.ts';
import type { Held, Secrets } from '../../backends/backend.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import { endOf, type Lease, type LeasePolicy } from './lease.ts';
import { TargetIndex } from './match.ts';

/** What is held for one target: always what it is, and while its lease lasts also its secrets. */
export type Entry = Held & {
  /** The backend's own record of it, or undefined for what is held in memory only. */
  resting: Held | undefined;
  about?: Held['about'];
  expiresAt?: Held['expiresAt'];
  made?: Held['made'];
  fronts?: Held['fronts'];
  frontOnly?: Held['frontOnly'];
  shown?: Held['shown'];
  /** When it is forgotten altogether, on the boot-time clock: git's `timeout=`. */
  readonly forgetAt: Seconds | undefined;
  /** Its secrets, while its lease lasts. access/release.ts hands them out. */
  inMemory: Secrets | undefined;
  lease: Lease | undefined;
};

/** What is held, to look at. Nothing here reads a backend or changes anything. */
export type Entries = Pick<UnlockedSet, 'counts' | 'all' | 'logins' | 'byId' | 'at' | 'find' | 'findAll'>;

/**
 * What the agent knows: every credential that rests anywhere, and the secrets of those that are unlocked. It owns these
 * secrets and wipes them when they are replaced, removed or past their lease. No I/O; time is an argument.
 */
export class UnlockedSet {
  readonly #byIdentity = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();
  readonly #logins = new Set<Entry>();
  readonly #index = new TargetIndex<Entry>((one, other) => compareChoice(choosable(one), choosable(other)));
  #unlocked = 0;

  /** How many credentials are known, and of how many the secrets are in memory. */
  get counts(): { readonly held: number; readonly unlocked: number } {
    return { held: this.#byIdentity.size, unlocked: this.#unlocked };
  }

  /** All of them, in the order in which they were taken in. */
  all(): Iterable<Entry> {
    return this.#byIdentity.values();
  }

  /** Those that a refresh keeps alive, or did: a few among many. */
  logins(): Iterable<Entry> {
    return this.#logins;
  }

  /** The entry with that id. */
  byId(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  /** The entry for exactly this target. */
  at(target: Target): Entry | undefined {
    return this.#byIdentity.get(identityOf(target));
  }

  /** The entry that comes first in the order of choice (protocol/choice.ts) among those that match and are accepted. */
  find(target: Target, accepts: (entry: Entry) => boolean): Entry | undefined {
    return this.#index.find(target, accepts);
  }

  /** Every match, the one to choose first last. */
  findAll(target: Target): readonly Entry[] {
    return this.#index.findAll(target);
  }

  /** Takes in what rests in a backend, still locked, in the order of when it was stored: a backend lists in one of its own. */
  know(held: Held): Entry {
    return this.#put({ ...held, resting: held, forgetAt: undefined, inMemory: undefined, lease: undefined });
  }

  /** Takes in a credential with its secrets, in place of what was held for the same target. The secrets become ours. */
  add(held: Held, resting: Held | undefined, secrets: Secrets, now: Seconds, forgetAt?: Seconds): Entry {
    const entry = this.#put({ ...held, resting, forgetAt, inMemory: undefined, lease: undefined });
    this.unlock(entry, secrets, now);
    return entry;
  }

  /** Gives an entry its secrets for a new lease. They become ours; those of an entry that is gone are wiped at once. */
  unlock(entry: Entry, secrets: Secrets, now: Seconds): void {
    this.#wipe(entry);
    if (this.at(entry) !== entry) {
      disposeSecrets(secrets);
      return;
    }
    entry.inMemory = secrets;
    entry.lease = { unlockedAt: now, usedAt: now };
    this.#unlocked++;
  }

  /**
   * Gives an entry new secrets where it stands: it is as new as it was and its lease goes on. They become ours; those of an
   * entry whose secrets are not in memory are wiped at once.
   */
  renew(entry: Entry, held: Held, secrets: Secrets): void {
    this.note(entry, held);
    disposeSecrets(entry.inMemory ?? secrets);
    if (entry.inMemory) entry.inMemory = secrets;
  }

  /** What is known of an entry from now on, which may change its place in the order of choice. Its target and its date stay. */
  note(entry: Entry, held: Held): void {
    const { about, expiresAt, made, fronts, frontOnly, shown } = held;
    const isIn = this.at(entry) === entry;
    if (isIn) this.#index.remove(entry);
    Object.assign(entry, { about, expiresAt, made, fronts, frontOnly, shown });
    if (isIn) {
      this.#index.add(entry);
      this.#sortLogin(entry);
    }
    if (entry.resting) entry.resting = held;
  }

  remove(entry: Entry): void {
    this.#wipe(entry);
    if (this.at(entry) !== entry) return;
    this.#byIdentity.delete(identityOf(entry));
    if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id);
    this.#logins.delete(entry);
    this.#index.remove(entry);
  }

  /** Forgets everything, and wipes it. */
  clear(): void {
    for (const entry of this.#byIdentity.values()) this.#wipe(entry);
    this.#byIdentity.clear();
    this.#byId.clear();
    this.#logins.clear();
    this.#index.clear();
  }

  /** When the lease of an unlocked entry ends. A lifetime that git asked for stands in its place, not beside it. */
  dueAt(entry: Entry, policy: LeasePolicy): Seconds {
    return entry.forgetAt ?? endOf(entry.lease!, policy);
  }

  /** Forgets what rests in a backend, and keeps what lives in memory only. */
  forgetResting(): void {
    for (const entry of [...this.#byIdentity.values()]) if (entry.resting) this.remove(entry);
  }

  /** Whether the secrets of an entry may be served now; wipes them if their lease is over. */
  isServable(entry: Entry, policy: LeasePolicy, now: Seconds): boolean {
    if (entry.inMemory === undefined) return false;
    if (now < this.dueAt(entry, policy)) return true;
    this.#lapse(entry, now);
    return false;
  }

  /** Wipes what is past its lease. Answers when the next one ends, or undefined if none is running. */
  sweep(policy: LeasePolicy, now: Seconds): Seconds | undefined {
    let next: Seconds | undefined;
    for (const entry of this.#byIdentity.values()) {
      if (entry.inMemory === undefined) continue;
      const due = this.dueAt(entry, policy);
      if (due <= now) this.#lapse(entry, now);
      else if (next === undefined || due < next) next = due;
    }
    return next;
  }

  /** What lives in memory only and has lost its lease is gone; anything else can be read again. */
  #lapse(entry: Entry, now: Seconds): void {
    if (entry.resting === undefined && (entry.forgetAt === undefined || entry.forgetAt <= now)) this.remove(entry);
    else this.#wipe(entry);
  }

  #put(entry: Entry): Entry {
    const identity = identityOf(entry);
    const before = this.#byIdentity.get(identity);
    if (before) this.remove(before);
    this.#byIdentity.set(identity, entry);
    this.#byId.set(entry.id, entry);
    this.#index.add(entry);
    this.#sortLogin(entry);
    return entry;
  }

  #sortLogin(entry: Entry): void {
    if (entry.about?.oauth) this.#logins.add(entry);
    else this.#logins.delete(entry);
  }

  #wipe(entry: Entry): void {
    if (entry.inMemory === undefined) return;
    disposeSecrets(entry.inMemory);
    entry.inMemory = undefined;
    entry.lease = undefined;
    this.#unlocked--;
  }
}

function choosable({ path, made, about, storedAt }: Entry): Choosable {
  return { path, made, label: about?.label, storedAt };
}
