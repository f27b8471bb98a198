import { randomBytes } from 'node:crypto';
import type { EpochSeconds, Seconds, Target } from '../protocol/credential.ts';
import { asFault, KeyholdError } from '../protocol/errors.ts';
import type { CredentialReply, CredentialRequest } from '../protocol/handler.ts';
import type { Secret, SecretKeeper } from '../protocol/secret.ts';
import type { Backend, BackendName, Held, Secrets, UnlockMeans } from './backends/backend.ts';
import { identityOf } from './backends/backend.ts';
import { copySecrets, disposeSecrets } from './backends/secrets.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { RoundState } from './round.ts';
import { Serial } from './serial.ts';
import { endOf, type Lease, type LeasePolicy, passphrasePolicy, silentPolicy } from './unlocked/lease.ts';
import { type Entry, UnlockedSet } from './unlocked/set.ts';

const notFound: CredentialReply = { status: 'not-found', message: 'no credential is held for this target' };
const LOCKED = 'the credentials are locked; run: keyhold unlock';
const lockedReply: CredentialReply = { status: 'locked', message: LOCKED };
const expiredReply: CredentialReply = {
  status: 'expired',
  message: 'the credential is past its expiry; store a new one',
};
const done: CredentialReply = { status: 'ok' };

const RETRY_AFTER: Seconds = 2;
const SWEEP_AT_LEAST_EVERY: Seconds = 60;
/** The least by which the dates of two credentials of one host differ: their order outlives the process. */
const STORED_APART: Seconds = 0.001;

/** Whether the agent serves, and if not, whose turn it is. */
export type AgentState = 'opening' | 'open' | 'locked' | 'failed';

/** A lock that the person asked for outlives the process: here is where it is remembered. */
export type LockMark = { isSet(): boolean; set(): void; clear(): void };

export type AgentParts = {
  readonly keep: SecretKeeper;
  readonly clock: Clock;
  readonly log: Log;
  readonly lockMark: LockMark;
  /** Told before anything comes to rest in a backend, so that the next start looks there. */
  readonly onRest: (backend: BackendName) => void;
  /** Leases for backends that are read again silently; a passphrase vault has its own, shorter one at most. */
  readonly lease?: LeasePolicy | undefined;
};

/**
 * The way of a request: find what it names, decide, obtain the secret, record, answer. The three verbs of credentials
 * are here; management stands in daemon/manage.ts and uses the methods below.
 */
export class Agent {
  readonly #keep: SecretKeeper;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #lockMark: LockMark;
  readonly #onRest: (backend: BackendName) => void;
  readonly #lease: LeasePolicy;

  readonly #set = new UnlockedSet();
  readonly #round = new RoundState();
  readonly #serial = new Serial();
  readonly #reading = new Map<Entry, Promise<void>>();
  #backend: Backend | undefined;
  #state: AgentState = 'opening';
  #failure: KeyholdError | undefined;
  #opening: (() => Promise<Backend>) | undefined;
  #opened: Promise<void> = Promise.resolve();
  #triedAt: Seconds = 0;
  /** The lease of a passphrase vault's key: used with every credential. */
  #session: Lease = { unlockedAt: 0, usedAt: 0 };
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweepAt: Seconds | undefined;

  constructor({ keep, clock, log, lockMark, onRest, lease }: AgentParts) {
    this.#keep = keep;
    this.#clock = clock;
    this.#log = log;
    this.#lockMark = lockMark;
    this.#onRest = onRest;
    this.#lease = lease ?? silentPolicy;
  }

  get state(): AgentState {
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

  /** Takes a backend into use and learns what rests there. Requests that come before it is done wait for it. */
  open(opening: () => Promise<Backend>): Promise<void> {
    this.#opening = opening;
    this.#state = 'opening';
    // One after the other: two that run at once would each list into the same set.
    this.#opened = this.#opened.then(() => this.#open(opening));
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
    const refusal = await this.#refusal();
    if (refusal) throw this.#failure ?? new KeyholdError('locked', LOCKED);
  }

  async get(request: CredentialRequest): Promise<CredentialReply> {
    if (this.#state !== 'open' || this.#isSessionOver()) {
      const refusal = await this.#refusal();
      if (refusal) return refusal;
    }
    const accepts = (entry: Entry) => entry.authtype === undefined || request.capabilities.authtype;
    const found = this.#set.find(request.target!, accepts);
    if (!found) return notFound;
    const expired = isExpired(found, this.#clock, request.minTtl);
    if (expired && request.capabilities.keyhold) return expiredReply;
    if (!this.#isServable(found)) {
      await this.#obtain(found);
      // While we waited it may have been erased, replaced or locked away.
      if (this.#state !== 'open' || this.#set.at(found) !== found) return this.get(request);
      if (!this.#isServable(found)) return notFound;
    }
    this.#touch(found);
    if (expired) return this.#refreshOnly(found);
    return this.#reply(found, request);
  }

  async store(request: CredentialRequest): Promise<CredentialReply> {
    const refusal = await this.#refusal();
    if (refusal) return refusal;
    // git says store with nothing to keep, with what must not be kept, and with what is dead already: all are heard.
    if (request.secret === undefined) return done;
    if (request.ephemeral) return done;
    if (request.expiresAt !== undefined && request.expiresAt <= this.#clock.now()) return done;
    // The request's own secrets end with the request; a store waits for its turn and for the disk.
    const target = request.target!;
    const id = await this.#serial.run(identityOf(target), () => this.#keepCredential(target, request));
    return id === undefined ? done : { status: 'ok', ids: [id] };
  }

  async erase(request: CredentialRequest): Promise<CredentialReply> {
    const refusal = await this.#refusal();
    if (refusal) return refusal;
    const served = this.#round.read(request.state ?? []);
    const candidates = this.#set
      .findAll(request.target!)
      .filter((entry) => served === undefined || entry.id === served);
    const ids: string[] = [];
    for (const candidate of candidates) {
      // Each waits for its turn and for the disk: meanwhile all may have been locked or carried elsewhere.
      const refusedMeanwhile = await this.#refusal();
      if (refusedMeanwhile) return refusedMeanwhile;
      const wasErased = await this.#serial.run(identityOf(candidate), () => this.#eraseOne(candidate, request.secret));
      if (wasErased) ids.push(candidate.id);
    }
    if (ids.length === 0) return notFound;
    return { status: 'ok', ids, details: [['erased', String(ids.length)]] };
  }

  /** Keeps a credential whose metadata is known already: a restored or migrated one. */
  async take(held: Held, secrets: Secrets): Promise<void> {
    await this.settled();
    await this.#serial.run(identityOf(held), () => this.#put(held, secrets, true, undefined));
  }

  /** The secrets held for a target, copied: the caller disposes of them. Undefined if they are gone. */
  async secretsOf(held: Held): Promise<Secrets | undefined> {
    const entry = this.#set.at(held);
    if (!entry) return undefined;
    if (!this.#isServable(entry)) {
      await this.#obtain(entry);
      // While we waited it may have been replaced: what stands there now is what is asked for.
      if (this.#set.at(held) !== entry) return this.secretsOf(held);
    }
    return entry.secrets && copySecrets(entry.secrets, this.#keep);
  }

  /** Forgets everything in memory and serves nothing until `unlock`, also after a restart. */
  async lock(): Promise<void> {
    try {
      this.#lockMark.set();
    } finally {
      await this.settled();
      // What comes from now on hears "locked"; what has begun comes to its end first.
      this.#state = 'locked';
      await this.#idle();
      if (this.#state === 'locked') this.#forget();
    }
  }

  /** Serves again. Throws what the backend says if it cannot: `interaction_required`, `wrong_passphrase`, … */
  async unlock(means: UnlockMeans): Promise<void> {
    await this.settled();
    if (!this.#backend) await this.open(this.#opening!);
    const backend = this.#backend;
    if (!backend) throw this.#failure!;
    await backend.unlock(means);
    this.#lockMark.clear();
    if (this.#state !== 'open') await this.open(async () => backend);
    if (this.#failure) throw this.#failure;
  }

  /** The backend's key is of another kind now: a lease of the new kind begins. */
  rekeyed(): void {
    this.#beginSession();
  }

  /** Waits for what is being written, wipes everything, and closes the backend. */
  async dispose(): Promise<void> {
    await this.settled();
    await this.#serial.idle();
    clearTimeout(this.#sweepTimer);
    this.#set.clear();
    await this.#backend?.dispose();
  }

  /**
   * Carries what rests here to another backend and uses that from now on; `beforeFarewell` is called when every copy
   * has read back the same, before the old ones are removed. Requests wait meanwhile. If it throws, nothing has changed.
   * Answers how many were carried, and how many the old backend did not let go of; what is held in memory only stays.
   */
  async migrate(
    next: Backend,
    beforeFarewell: () => void,
  ): Promise<{ readonly carried: number; readonly left: number }> {
    await this.settled();
    const before = this.#backend!;
    const carried: Held[] = [];
    let fault: unknown;
    await this.open(async () => {
      try {
        await this.#idle();
        await this.#carryTo(next, carried);
        beforeFarewell();
        return next;
      } catch (error) {
        fault = error;
        for (const held of carried) await next.remove(held).catch(() => {});
        return before;
      }
    });
    if (fault) throw fault;
    return { carried: carried.length, left: await this.#bidFarewell(before, carried) };
  }

  /** From here on the copies elsewhere are what counts, so a backend that keeps its own is a pity and no failure. */
  async #bidFarewell(before: Backend, carried: readonly Held[]): Promise<number> {
    let left = 0;
    for (const held of carried) {
      await before.remove(held).catch(() => {
        left++;
      });
    }
    await before.dispose().catch(() => {});
    if (left > 0) this.#log('farewell-failed', { backend: before.name, count: left });
    return left;
  }

  async #carryTo(next: Backend, carried: Held[]): Promise<void> {
    for (const { resting } of [...this.#set.entries()]) {
      const secrets = resting && (await this.secretsOf(resting));
      if (!secrets) continue;
      try {
        await next.put(resting, secrets);
        carried.push(resting);
        const back = await next.get(resting);
        const isWhole =
          back !== undefined && equal(back.secret, secrets.secret) && equal(back.refreshToken, secrets.refreshToken);
        if (back) disposeSecrets(back);
        if (!isWhole)
          throw new KeyholdError('backend_failed', `cannot carry to ${next.name}: a copy did not read back the same`);
      } finally {
        disposeSecrets(secrets);
      }
    }
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
      const all = await backend.list();
      this.#set.forgetResting();
      // A backend lists in an order of its own; the one stored last must be the newest again.
      for (const held of [...all].sort((one, other) => one.storedAt - other.storedAt)) this.#set.know(held);
      this.#state = 'open';
      this.#beginSession();
      this.#log('opened', { backend: backend.name, held: all.length });
    } catch (error) {
      this.#failure = asFault(error);
      this.#state = this.#failure.status === 'locked' ? 'locked' : 'failed';
      this.#log('open-failed', { code: this.#failure.code });
    }
    this.#triedAt = this.#clock.sinceBoot();
  }

  /**
   * Why no credential can be served now; undefined if they can. A keyring that was locked, hung or absent is asked
   * again, at most every other second: the person may have logged in by now. Our own lock only `unlock` opens.
   */
  async #refusal(): Promise<CredentialReply | undefined> {
    await this.settled();
    const mayHaveChanged = this.#failure !== undefined && !this.#lockMark.isSet() && !this.#backend?.needsPassphrase;
    if (mayHaveChanged && this.#clock.sinceBoot() >= this.#triedAt + RETRY_AFTER) {
      // The first of many askers opens; the others find it under way and wait with it.
      this.#triedAt = this.#clock.sinceBoot();
      void this.open(this.#opening!);
      await this.settled();
    } else if (this.#state === 'opening') return this.#refusal();
    if (this.#state === 'open' && this.#isSessionOver()) this.#forget();
    if (this.#state === 'open') return undefined;
    if (this.#state === 'failed') return { status: this.#failure!.status, message: this.#failure!.message };
    return lockedReply;
  }

  /** The lease of the backend's key: only a passphrase's ends, and the sweep that ends it sleeps while we do. */
  #isSessionOver(): boolean {
    return this.#backend!.needsPassphrase && endOf(this.#session, this.#policy()) <= this.#clock.sinceBoot();
  }

  #beginSession(): void {
    const now = this.#clock.sinceBoot();
    this.#session = { unlockedAt: now, usedAt: now };
    if (this.#backend?.needsPassphrase) this.#sweepBy(endOf(this.#session, this.#policy()));
  }

  #policy(): LeasePolicy {
    if (!this.#backend?.needsPassphrase) return this.#lease;
    return {
      idle: Math.min(this.#lease.idle, passphrasePolicy.idle),
      max: Math.min(this.#lease.max, passphrasePolicy.max),
    };
  }

  #isServable(entry: Entry): boolean {
    return this.#set.isServable(entry, this.#policy(), this.#clock.sinceBoot());
  }

  #reply(entry: Entry, request: CredentialRequest): CredentialReply {
    const { protocol, host, path, username, authtype, expiresAt, secrets } = entry;
    const credential = {
      protocol,
      host,
      path,
      username,
      authtype,
      expiresAt,
      secret: secrets!.secret,
      refreshToken: secrets!.refreshToken,
    };
    const state = request.capabilities.state ? [this.#round.of(entry.id)] : undefined;
    return { status: 'ok', credential, state, ids: [entry.id] };
  }

  /** What git may still hear of an expired credential: the refresh token, for the next helper in its list. */
  #refreshOnly({ id, protocol, host, path, username, expiresAt, secrets }: Entry): CredentialReply {
    const refreshToken = secrets!.refreshToken;
    if (!refreshToken) return expiredReply;
    return { status: 'ok', credential: { protocol, host, path, username, expiresAt, refreshToken }, ids: [id] };
  }

  #touch(entry: Entry): void {
    const now = this.#clock.sinceBoot();
    entry.lease!.usedAt = now;
    this.#session.usedAt = now;
  }

  /** Reads an entry's secrets from its backend; many askers make one read. Throws what the backend throws. */
  #obtain(entry: Entry): Promise<void> {
    if (entry.resting === undefined) return Promise.resolve();
    let reading = this.#reading.get(entry);
    if (!reading) {
      reading = this.#read(entry, entry.resting).finally(() => this.#reading.delete(entry));
      this.#reading.set(entry, reading);
    }
    return reading;
  }

  async #read(entry: Entry, resting: Held): Promise<void> {
    const secrets = await this.#backend!.get(resting);
    if (secrets) {
      this.#set.unlock(entry, secrets, this.#clock.sinceBoot());
      // Replaced while it was read, it has no lease.
      if (entry.lease) this.#sweepBy(this.#set.dueAt(entry, this.#policy()));
    } else if (this.#set.at(entry) === entry) this.#set.remove(entry); // taken away behind our back
  }

  /** The id of what is kept now; undefined if nothing changed. */
  async #keepCredential(target: Target, request: CredentialRequest): Promise<string | undefined> {
    const before = this.#set.at(target);
    const repeated = before && this.#isServable(before) && isSame(before, request) ? before : undefined;
    if (repeated) {
      // git repeats what it was just given after every success: nothing to write, and nothing that it left out is lost.
      this.#touch(repeated);
      if (repeated.resting && request.timeout === undefined) return undefined;
    }
    const held: Held = {
      ...target,
      id: before?.id ?? randomBytes(10).toString('hex'),
      authtype: request.authtype,
      expiresAt: request.expiresAt ?? repeated?.expiresAt,
      storedAt: this.#newestDate(target),
    };
    const secrets = {
      secret: request.secret,
      refreshToken: request.refreshToken ?? repeated?.secrets?.refreshToken,
    };
    await this.#put(held, secrets, request.timeout === undefined, request.timeout);
    this.#log('stored', { id: held.id });
    // What lives in memory only and lives on there is the same as before.
    return repeated && !repeated.resting ? undefined : held.id;
  }

  /** The date of what is stored now: later than any that a request could confuse it with, even in the same second. */
  #newestDate({ protocol, host }: Target): EpochSeconds {
    const newest = this.#set.find({ protocol, host }, () => true);
    return Math.max(this.#clock.now(), newest ? newest.storedAt + STORED_APART : 0);
  }

  /** At rest first, then in memory: what is served has been kept. */
  async #put(held: Held, secrets: Secrets, durable: boolean, timeout: Seconds | undefined): Promise<void> {
    this.#refuseLocked('store');
    const copy = copySecrets(secrets, this.#keep);
    try {
      const before = this.#set.at(held);
      if (durable) {
        this.#onRest(this.#backend!.name);
        await this.#backend!.put(held, copy);
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
    this.#touch(entry);
    this.#sweepBy(this.#set.dueAt(entry, this.#policy()));
  }

  /** True if it was this secret, or any if none was named, and is gone in memory and at rest. */
  async #eraseOne(candidate: Entry, secret: Secret | undefined): Promise<boolean> {
    this.#refuseLocked('erase');
    const entry = this.#set.at(candidate);
    if (entry?.id !== candidate.id) return false;
    if (secret) {
      if (!this.#isServable(entry)) await this.#obtain(entry);
      if (!entry.secrets?.secret?.equals(secret)) return false;
    }
    if (entry.resting) await this.#backend!.remove(entry.resting);
    this.#set.remove(entry);
    this.#log('erased', { id: entry.id });
    return true;
  }

  /** While a backend is being opened a change that was let in before may still end. */
  #isShut(): boolean {
    return this.#state === 'locked' || this.#state === 'failed';
  }

  #refuseLocked(verb: string): void {
    if (this.#isShut()) throw new KeyholdError('locked', `cannot ${verb}: the credentials were locked meanwhile`);
  }

  #forget(): void {
    this.#set.clear();
    this.#backend?.lock();
    this.#failure = undefined;
    this.#state = 'locked';
    this.#log('locked', {});
  }

  /** Looks for ended leases no later than `due`. Timers stand still in suspend, so it looks at least every minute. */
  #sweepBy(due: Seconds): void {
    const now = this.#clock.sinceBoot();
    const at = Math.min(due, now + SWEEP_AT_LEAST_EVERY);
    if (this.#sweepAt !== undefined && this.#sweepAt <= at) return;
    clearTimeout(this.#sweepTimer);
    this.#sweepAt = at;
    this.#sweepTimer = setTimeout(() => this.#sweep(), Math.max(at - now, 0) * 1_000 + 10);
    this.#sweepTimer.unref();
  }

  #sweep(): void {
    this.#sweepAt = undefined;
    const now = this.#clock.sinceBoot();
    const policy = this.#policy();
    if (this.#state === 'open' && this.#isSessionOver()) this.#forget();
    const next = this.#set.sweep(policy, now);
    const session = this.#backend?.needsPassphrase && this.#state === 'open' ? endOf(this.#session, policy) : undefined;
    const due = Math.min(next ?? Number.POSITIVE_INFINITY, session ?? Number.POSITIVE_INFINITY);
    if (due < Number.POSITIVE_INFINITY) this.#sweepBy(due);
  }
}

/** Dead, or too close to it for this caller. */
function isExpired(held: Held, clock: Clock, minTtl: Seconds = 0): boolean {
  return held.expiresAt !== undefined && held.expiresAt <= clock.now() + minTtl;
}

/** Whether a store brings what is held already; what it leaves out (an old git knows no expiry) is no difference. */
function isSame(entry: Entry, request: CredentialRequest): boolean {
  const { secret, refreshToken } = entry.secrets!;
  if (entry.authtype !== request.authtype) return false;
  if (request.expiresAt !== undefined && request.expiresAt !== entry.expiresAt) return false;
  if (request.secret !== undefined && !(secret?.equals(request.secret) ?? false)) return false;
  return request.refreshToken === undefined || (refreshToken?.equals(request.refreshToken) ?? false);
}

function equal(one: Secret | undefined, other: Secret | undefined): boolean {
  return one === undefined || other === undefined ? one === other : one.equals(other);
}
