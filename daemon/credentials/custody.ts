import type { About } from '../../protocol/about.ts';
import { identityOf, type Seconds, type Target } from '../../protocol/credential.ts';
import { asFault, KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import type { SecretKeeper } from '../../protocol/secret.ts';
import {
  type Backend,
  type BackendName,
  type Held,
  heldOf,
  type Secrets,
  type UnlockMeans,
} from '../backends/backend.ts';
import { copySecrets, disposeSecrets } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { Emit } from '../events/agent-event.ts';
import { isOwn, OwnRecords } from '../history/tombstones/own-records.ts';
import { inSlices } from '../slices.ts';
import { Serial } from './serial.ts';
import { endOf, type Lease, type LeasePolicy, passphrasePolicy, silentPolicy } from './unlocked/lease.ts';
import { type Entry, UnlockedSet } from './unlocked/set.ts';
import { Sweeper } from './unlocked/sweeper.ts';

const LOCKED = 'the credentials are locked; run: keyhold unlock';
const lockedReply: CredentialReply = { status: 'locked', message: LOCKED };

const RETRY_AFTER: Seconds = 2;

/** Whether credentials can be served, and if not, whose turn it is. */
export type CustodyState = 'opening' | 'open' | 'locked' | 'failed';

/** What is known of a credential beside its target and its value, as far as it changes. */
export type Amendment = Partial<Pick<Held, 'about' | 'made' | 'fronts' | 'frontOnly' | 'shown'>>;

/** A lock that the person asked for outlives the process: here is where it is remembered. */
export type LockMark = { isSet(): boolean; set(): void; clear(): void };

export type CustodyParts = {
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly lockMark: LockMark;
  /** Told before anything comes to rest in a backend, so that the next start looks there. */
  readonly onRest: (backend: BackendName) => void;
  /** Told each time that credentials can be served again: at the start, and after a lock. */
  readonly onOpen?: (() => void) | undefined;
  /** Leases for backends that are read again silently; a passphrase vault has its own, shorter one at most. */
  readonly lease?: LeasePolicy | undefined;
};

/**
 * Everything that is held, and whether it may be served: the backend in use, what is known of it in memory, the leases
 * of what is unlocked, and the lock over it all. The agent's verbs and its management stand on this.
 */
export class Custody {
  /** What we keep ourselves beside the credentials. */
  readonly own = new OwnRecords((verb) => this.#forChange(verb));
  readonly #keep: SecretKeeper;
  readonly #clock: Clock;
  readonly #emit: Emit;
  readonly #lockMark: LockMark;
  readonly #onRest: (backend: BackendName) => void;
  readonly #onOpen: (() => void) | undefined;
  readonly #lease: LeasePolicy;

  readonly #set = new UnlockedSet();
  readonly #serial = new Serial();
  readonly #reading = new Map<Entry, Promise<void>>();
  readonly #sweeper: Sweeper;
  #backend: Backend | undefined;
  #state: CustodyState = 'opening';
  #failure: KeyholdError | undefined;
  #opening: (() => Promise<Backend>) | undefined;
  /** Settles at the first `open`, which comes once the agent listens: requests may come before it and wait. */
  readonly #begun = Promise.withResolvers<void>();
  #opened: Promise<void> = this.#begun.promise;
  /** The backend whose list is being read, and the hosts of which everything is known already. */
  #listing: Backend | undefined;
  /** Settles when a list begins to be read, or nothing came of the opening. */
  #begins = Promise.withResolvers<void>();
  readonly #knownHosts = new Set<string>();
  #progress: Custody['progress'];
  /** Settles when everything was carried to another backend, while that is under way. */
  #gate: Promise<void> | undefined;
  /** While a lock waits for what has begun: nothing is served any more, and long work ends early. */
  #isLocking = false;
  #triedAt: Seconds = 0;
  /** The lease of a passphrase vault's key: used with every credential. */
  #session: Lease = { unlockedAt: 0, usedAt: 0 };

  constructor({ keep, clock, emit, lockMark, onRest, onOpen, lease }: CustodyParts) {
    this.#keep = keep;
    this.#clock = clock;
    this.#emit = emit;
    this.#lockMark = lockMark;
    this.#onRest = onRest;
    this.#onOpen = onOpen;
    this.#lease = lease ?? silentPolicy;
    this.#sweeper = new Sweeper(clock, (now) => this.#sweep(now));
  }

  get state(): CustodyState {
    return this.#state;
  }
  /** Why the state is `failed`. */
  get failure(): KeyholdError | undefined {
    return this.#failure;
  }
  get backend(): Backend | undefined {
    return this.#backend;
  }
  get counts(): { readonly held: number; readonly unlocked: number } {
    return this.#set.size;
  }
  held(): Iterable<Entry> {
    return this.#set.entries();
  }

  /** How far the backend has come with what keeps others waiting: opening it, or carrying everything to another. */
  get progress():
    | { readonly what: 'open' | 'migrate' | 'backup' | 'restore'; readonly done: number; readonly total: number }
    | undefined {
    return this.#progress;
  }

  /**
   * True once everything that is held for the target's host is known while all else is still being read, and may be served. It
   * may wait for a part of the reading. False where that is not known before the backend is open, and while it is not opening.
   */
  async knowsHost(target: Target): Promise<boolean> {
    // It may come before the backend is there at all.
    while (this.#state === 'opening' && !this.#listing) await this.#begins.promise;
    const backend = this.#listing;
    if (!backend?.heldFor || this.#lockMark.isSet()) return false;
    const host = `${target.protocol}\0${target.host}`;
    if (!this.#knownHosts.has(host)) {
      const held = await backend.heldFor(target).catch(() => undefined);
      if (!held || this.#listing !== backend) return false;
      for (const one of held) this.#learn(one);
      this.#knownHosts.add(host);
    }
    return this.isServingHost(target);
  }

  /** The same for a host that `knowsHost` was asked for before. */
  isServingHost({ protocol, host }: Target): boolean {
    return this.#listing !== undefined && this.#knownHosts.has(`${protocol}\0${host}`) && !this.#isSessionOver();
  }

  /** True while a get may be answered from memory, without asking `refusal` first. */
  get isServing(): boolean {
    return this.#state === 'open' && !this.#isLocking && !this.#isSessionOver();
  }

  /** The first in the order of choice for `target` that `accepts` takes. */
  find(target: Target, accepts: (entry: Entry) => boolean): Entry | undefined {
    return this.#set.find(target, accepts);
  }

  findAll(target: Target): readonly Entry[] {
    return this.#set.findAll(target);
  }

  /** The entry with that id. */
  byId(id: string): Entry | undefined {
    return this.#set.byId(id);
  }

  /** The entry for exactly this target. */
  at(target: Target): Entry | undefined {
    return this.#set.at(target);
  }

  /** Runs a change of one target after those that were let in before it. */
  inTurn<T>(target: Target, change: () => Promise<T>): Promise<T> {
    const gate = this.#gate;
    if (gate) return gate.then(() => this.inTurn(target, change));
    // What a front keeps for a target of its own is changed in the same turn as the rest of that target.
    return this.#serial.run(identityOf({ ...target, front: undefined }), change);
  }

  /** Takes a backend into use and learns what rests there. Requests that come before it is done wait for it. */
  open(opening: () => Promise<Backend>): Promise<void> {
    this.#opening = opening;
    this.#state = 'opening';
    // One after the other: two that run at once would each list into the same set.
    this.#opened = this.#opened.then(() => this.#open(opening));
    this.#begun.resolve();
    return this.#opened;
  }

  /** Settles when opening has ended, well or not. */
  async settled(): Promise<void> {
    for (let opened: unknown; opened !== this.#opened; ) {
      opened = this.#opened;
      await opened;
    }
  }

  /** Settles when credentials can be served; throws why they cannot. */
  async ready(): Promise<void> {
    const refusal = await this.refusal();
    if (refusal) throw this.#failure ?? new KeyholdError('locked', LOCKED);
  }

  /**
   * Why no credential can be served now; undefined if they can. A keyring that was locked, hung or absent is asked
   * again, at most every other second: the person may have logged in by now. Our own lock only `unlock` opens.
   */
  async refusal(): Promise<CredentialReply | undefined> {
    await this.settled();
    const mayHaveChanged = this.#failure !== undefined && !this.#lockMark.isSet() && !this.#backend?.needsPassphrase;
    if (mayHaveChanged && this.#clock.sinceBoot() >= this.#triedAt + RETRY_AFTER) {
      // The first of many askers opens; the others find it under way and wait with it.
      this.#triedAt = this.#clock.sinceBoot();
      void this.open(this.#opening!);
      await this.settled();
    } else if (this.#state === 'opening') return this.refusal();
    if (this.#state === 'open' && this.#isSessionOver()) this.#forget();
    if (this.#state === 'open') return undefined;
    if (this.#state === 'failed') return { status: this.#failure!.status, message: this.#failure!.message };
    return lockedReply;
  }

  /** Whether the secrets of an entry may be served now; wipes them if their lease is over. */
  isServable(entry: Entry): boolean {
    return this.#set.isServable(entry, this.#policy(), this.#clock.sinceBoot());
  }

  /** Seconds until an entry is wiped from memory if nobody uses it; undefined if it is not there. It wipes nothing. */
  leaseLeft(entry: Entry): Seconds | undefined {
    if (entry.inMemory === undefined) return undefined;
    const left = this.#set.dueAt(entry, this.#policy()) - this.#clock.sinceBoot();
    return left > 0 ? left : undefined;
  }

  /** Notes that an entry was used. */
  touch(entry: Entry): void {
    const now = this.#clock.sinceBoot();
    entry.lease!.usedAt = now;
    this.#session.usedAt = now;
  }

  /** Reads an entry's secrets from its backend; many askers make one read. Throws what the backend throws. */
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
    const entry = this.#set.at(held);
    if (!entry) return undefined;
    if (!this.isServable(entry)) {
      await this.obtain(entry);
      // While we waited it may have been replaced: what stands there now is what is asked for.
      if (this.#set.at(held) !== entry) return this.secretsOf(held);
    }
    return entry.inMemory && copySecrets(entry.inMemory, this.#keep);
  }

  /** The same for who only compares: what is not in memory is read, and does not stay there. */
  async secretsAside(entry: Entry): Promise<Secrets | undefined> {
    if (this.isServable(entry)) return copySecrets(entry.inMemory!, this.#keep);
    const secrets = entry.resting && (await this.#backend!.get(entry.resting));
    if (secrets && this.isServing) return secrets;
    if (secrets) disposeSecrets(secrets);
    return undefined;
  }

  /** What rests for an entry now, the caller's to dispose of: another program may have put it there. */
  async secretsAtRest(entry: Entry): Promise<Secrets | undefined> {
    return entry.resting && (await this.#backend!.get(entry.resting));
  }

  /** Takes over what rests in the place of what an entry held, which is left as it lies there. In the turn of its target. */
  async adopt(entry: Entry, held: Held, secrets: Secrets): Promise<void> {
    await this.#forChange('change').annotate(held);
    this.#set.renew(entry, held, copySecrets(secrets, this.#keep));
  }

  /** Keeps a credential whose metadata is known already: a restored or migrated one. */
  async take(held: Held, secrets: Secrets): Promise<void> {
    await this.settled();
    await this.inTurn(held, () => this.put(held, secrets, true, undefined));
  }

  /** At rest first, then in memory: what is served has been kept. */
  async put(held: Held, secrets: Secrets, durable: boolean, timeout: Seconds | undefined): Promise<void> {
    this.refuseLocked('store');
    const copy = copySecrets(secrets, this.#keep);
    try {
      const before = this.#set.at(held);
      if (durable) {
        await this.#forChange('store').put(held, copy);
      } else if (before?.resting) await this.#backend!.remove(before.resting);
    } catch (error) {
      disposeSecrets(copy);
      throw error;
    }
    if (this.#isShut()) {
      // The lease of the key ended while the disk was busy: it is kept, and `unlock` brings it back.
      disposeSecrets(copy);
      return;
    }
    const now = this.#clock.sinceBoot();
    const entry = this.#set.add(held, durable, copy, now, timeout === undefined ? undefined : now + timeout);
    this.touch(entry);
    this.#sweeper.by(this.#set.dueAt(entry, this.#policy()));
  }

  /**
   * Puts what a provider gave out in the place of what an entry held, also while a lock waits for that: what the provider has
   * spent meanwhile could not be had again. The lease goes on as it was. Run it in the turn that the lock waits for.
   */
  async renew(entry: Entry, held: Held, secrets: Secrets): Promise<void> {
    if (entry.resting) {
      this.#onRest(this.#backend!.name);
      await this.#backend!.put(held, secrets);
    }
    this.#set.renew(entry, held, copySecrets(secrets, this.#keep));
  }

  /** Notes what is known of an entry from now on, at rest and then in memory. Its secrets and its lease stay. */
  annotate(entry: Entry, about: About | undefined, isBegun = false): Promise<void> {
    return this.amend(entry, { about }, isBegun);
  }

  /** The same for any of it. Run it in the turn of the entry's target. */
  async amend(entry: Entry, change: Amendment, isBegun = false): Promise<void> {
    const backend = isBegun ? this.#backend! : this.#forChange('change');
    const held = { ...heldOf(entry), ...change };
    if (entry.resting) await backend.annotate(held);
    this.#set.note(entry, held);
  }

  /** Removes an entry at rest, then in memory. Throws what the backend throws; nothing has changed then. */
  async remove(entry: Entry): Promise<void> {
    if (entry.resting) await this.#backend!.remove(entry.resting);
    this.#set.remove(entry);
  }

  /** Moves an entry into a record of our own, out of memory and at rest in one step. In the turn of its target. */
  async setAside(entry: Entry, record: Held): Promise<void> {
    if (entry.resting && (await this.#backend!.move(entry.resting, record)) && !this.#isShut())
      this.own.noteMoved(record);
    this.#set.remove(entry);
  }

  /** Makes a credential again of what was set aside. Throws `not_found` where it is gone. In the turn of its target. */
  async bringBack(record: Held, held: Held): Promise<void> {
    const wasThere = await this.#forChange('restore').move(record, held);
    this.own.noteGone(record);
    if (!wasThere) throw new KeyholdError('not_found', 'cannot restore: it is not there any more');
    if (!this.#isShut()) this.#set.know(held);
  }

  /** For a change whose turn has come: throws `locked` if it must not happen any more. */
  refuseLocked(verb: string): void {
    if (!this.#isShut()) return;
    throw new KeyholdError('locked', `cannot ${verb}: the credentials were locked meanwhile; run: keyhold unlock`);
  }

  /** Forgets everything in memory and serves nothing until `unlock`, also after a restart. */
  async lock(): Promise<void> {
    try {
      this.#lockMark.set();
    } finally {
      // What is known of single hosts while all is being read is not served any more, from here on.
      this.#knownHosts.clear();
      this.#isLocking = true;
      await this.settled();
      // What comes from now on hears "locked"; what has begun comes to its end first.
      this.#state = 'locked';
      await this.#idle();
      if (this.#state === 'locked') this.#forget();
      this.#isLocking = false;
    }
  }

  /** Serves again. Throws what the backend says if it cannot: `interaction_required`, `wrong_passphrase`, or the like. */
  async unlock(means: UnlockMeans): Promise<void> {
    await this.settled();
    if (!this.#backend) await this.open(this.#opening!);
    const backend = this.#backend;
    if (!backend) throw this.#failure!;
    await backend.unlock(means);
    this.#lockMark.clear();
    // Of many who unlock at once the first opens.
    if (this.#state === 'opening') await this.settled();
    if (this.#state !== 'open') await this.open(async () => backend);
    if (this.#failure) throw this.#failure;
  }

  /** The backend's key is of another kind now: a lease of the new kind begins. */
  rekeyed(): void {
    this.#beginSession();
  }

  /** Waits for what is being written, wipes everything, and closes the backend. */
  async dispose(): Promise<void> {
    this.#begun.resolve();
    await this.settled();
    await this.#serial.idle();
    this.#sweeper.dispose();
    this.#set.clear();
    this.own.clear();
    await this.#backend?.dispose();
  }

  /**
   * Uses the backend that `carrying` answers with from now on, which is the one it was given if it could not carry
   * everything. Changes wait meanwhile, and those that were let in before have ended; gets are answered all the time.
   */
  async replace(carrying: (before: Backend) => Promise<Backend>): Promise<void> {
    await this.settled();
    this.#opened = this.#opened.then(() => this.#replace(carrying));
    await this.#opened;
  }

  /** Tells how far work is that keeps changes waiting; nothing once it has ended. */
  report(progress: Custody['progress']): void {
    this.#progress = progress;
  }

  async #replace(carrying: (before: Backend) => Promise<Backend>): Promise<void> {
    const gate = Promise.withResolvers<void>();
    this.#gate = gate.promise;
    try {
      await this.#idle();
      // Now and not before: another replacement may have had its turn since.
      const before = this.#backend!;
      const next = await carrying(before);
      if (next === before) return;
      this.#backend = next;
      this.#opening = async () => next;
      this.#beginSession();
      const all = this.own.learn(await next.list((done, total) => this.#listed(done, total)));
      await this.#learnAnew(all);
      this.#emit({ kind: 'opened', backend: next.name, held: all.length });
      this.#onOpen?.();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#progress = undefined;
      this.#gate = undefined;
      gate.resolve();
    }
  }

  /** Takes in a list in the place of what was known to rest, and serves what is in memory meanwhile. */
  async #learnAnew(all: readonly Held[]): Promise<void> {
    const listed = new Set<Entry>();
    await inSlices(all, (held) => {
      const known = this.#set.at(held);
      listed.add(known?.resting && known.id === held.id ? known : this.#set.know(held));
    });
    await inSlices([...this.#set.entries()], (entry) => {
      if (entry.resting && !listed.has(entry)) this.#set.remove(entry);
    });
  }

  /** Settles when every change that was let in has ended. One turn first: some are let in and have not begun yet. */
  async #idle(): Promise<void> {
    await new Promise(setImmediate);
    await this.#serial.idle();
  }

  async #open(opening: () => Promise<Backend>): Promise<void> {
    this.#state = 'opening';
    this.#failure = undefined;
    try {
      const backend = await opening();
      this.#backend = backend;
      // What is tried again is this one, not the way to it.
      this.#opening = async () => backend;
      if (this.#lockMark.isSet()) {
        this.#forget();
        return;
      }
      this.#set.forgetResting();
      this.#beginSession();
      this.#listing = backend;
      this.#begins.resolve();
      const all = this.own.learn(await backend.list((done, total) => this.#listed(done, total)));
      await inSlices(all, (held) => this.#learn(held));
      if (this.#lockMark.isSet()) {
        this.#forget();
        return;
      }
      this.#state = 'open';
      this.#beginSession();
      this.#emit({ kind: 'opened', backend: backend.name, held: all.length });
      this.#onOpen?.();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#listing = undefined;
      this.#begins.resolve();
      this.#begins = Promise.withResolvers();
      this.#knownHosts.clear();
      this.#progress = undefined;
    }
    this.#triedAt = this.#clock.sinceBoot();
  }

  #fail(error: unknown): void {
    this.#failure = asFault(error);
    this.#state = this.#failure.status === 'locked' ? 'locked' : 'failed';
    this.#emit({ kind: 'open-failed', code: this.#failure.code });
  }

  /** Notes how far the list is; ends the reading where the credentials were locked meanwhile. */
  #listed(done: number, total: number): void {
    this.#progress = { what: 'open', done, total };
    if (this.#lockMark.isSet()) throw new KeyholdError('locked', LOCKED);
  }

  /** Takes in what rests, unless it is known already: from when its host was asked for, and newer if it was changed since. */
  #learn(held: Held): void {
    if (isOwn(held) || this.#set.at(held)?.resting) return;
    this.#set.know(held);
  }

  /** The backend for a change that is allowed now and that it will keep. */
  #forChange(verb: string): Backend {
    this.refuseLocked(verb);
    this.#onRest(this.#backend!.name);
    return this.#backend!;
  }

  /** While a backend is being opened a change that was let in before may still end. */
  #isShut(): boolean {
    return this.#isLocking || this.#state === 'locked' || this.#state === 'failed';
  }

  /** The lease of the backend's key: only a passphrase's ends, and the sweep that ends it sleeps while we do. */
  #isSessionOver(): boolean {
    return this.#backend!.needsPassphrase && endOf(this.#session, this.#policy()) <= this.#clock.sinceBoot();
  }

  #beginSession(): void {
    const now = this.#clock.sinceBoot();
    this.#session = { unlockedAt: now, usedAt: now };
    if (this.#backend?.needsPassphrase) this.#sweeper.by(endOf(this.#session, this.#policy()));
  }

  #policy(): LeasePolicy {
    if (!this.#backend?.needsPassphrase) return this.#lease;
    return {
      idle: Math.min(this.#lease.idle, passphrasePolicy.idle),
      max: Math.min(this.#lease.max, passphrasePolicy.max),
    };
  }

  async #read(entry: Entry, resting: Held): Promise<void> {
    const secrets = await this.#backend!.get(resting);
    if (secrets) {
      this.#set.unlock(entry, secrets, this.#clock.sinceBoot());
      // Replaced while it was read, it has no lease.
      if (entry.lease) this.#sweeper.by(this.#set.dueAt(entry, this.#policy()));
    } else if (this.#set.at(entry) === entry) this.#set.remove(entry); // taken away behind our back
  }

  #forget(): void {
    this.#set.clear();
    this.own.clear();
    this.#backend?.lock();
    this.#failure = undefined;
    this.#state = 'locked';
    this.#emit({ kind: 'locked' });
  }

  /** Ends what is due. Answers when the next lease ends. */
  #sweep(now: Seconds): Seconds | undefined {
    if (this.#state === 'open' && this.#isSessionOver()) this.#forget();
    const policy = this.#policy();
    const next = this.#set.sweep(policy, now);
    if (!this.#backend?.needsPassphrase || this.#state !== 'open') return next;
    return Math.min(next ?? Number.POSITIVE_INFINITY, endOf(this.#session, policy));
  }
}
