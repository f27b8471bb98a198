import type { Seconds, Target } from '../../../protocol/credential.ts';
import { asFault, KeyholdError } from '../../../protocol/errors.ts';
import type { CredentialReply } from '../../../protocol/handler.ts';
import type { Backend, BackendName, UnlockMeans } from '../../backends/backend.ts';
import type { LockMark } from '../../backends/lock-mark.ts';
import type { Clock } from '../../clock.ts';
import type { Emit } from '../../events/agent-event.ts';
import type { OwnRecords } from '../../history/tombstones/own-records.ts';
import { inSlices } from '../../slices.ts';
import type { UnlockedSet } from '../unlocked/set.ts';
import { HostsFirst } from './hosts-first.ts';
import { learn, learnAnew } from './learn.ts';
import type { Leases } from './leases.ts';
import type { TargetQueue, Underway } from './queue.ts';

const LOCKED = 'the credentials are locked; run: keyhold unlock';
const lockedReply: CredentialReply = { status: 'locked', message: LOCKED };

const RETRY_AFTER: Seconds = 2;

/** Whether credentials can be served, and if not, why. */
export type LifecycleState = 'opening' | 'open' | 'locked' | 'failed';

export type LifecycleParts = {
  readonly set: UnlockedSet;
  readonly own: Pick<OwnRecords, 'learn' | 'clear'>;
  readonly queue: Pick<TargetQueue, 'holdBack' | 'idle'>;
  readonly leases: Pick<Leases, 'isKeyOver' | 'beginKey' | 'dispose'>;
  readonly clock: Pick<Clock, 'sinceBoot'>;
  readonly emit: Emit;
  readonly lockMark: LockMark;
  /** Called before anything comes to rest in a backend, so that the next start looks there. */
  readonly onRest: (backend: BackendName) => void;
  /** Called each time that credentials can be served again: at the start, and after a lock. */
  readonly onOpen?: (() => void) | undefined;
};

/** The backend in use, and whether credentials may be served from it. */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #hosts: HostsFirst;
  #backend: Backend | undefined;
  #state: LifecycleState = 'opening';
  #failure: KeyholdError | undefined;
  #opening: (() => Promise<Backend>) | undefined;
  /** Settles at the first `open`, which comes once the agent listens: requests may come before it and wait. */
  readonly #begun = Promise.withResolvers<void>();
  #opened: Promise<void> = this.#begun.promise;
  #progress: Underway | undefined;
  /** While a lock waits for what has begun: nothing is served any more, and long work ends early. */
  #isLocking = false;
  #triedAt: Seconds = 0;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.#hosts = new HostsFirst({
      isOpening: () => this.#state === 'opening',
      isLocked: () => parts.lockMark.isSet(),
      learn: (held) => learn(parts.set, held),
    });
  }

  get state(): LifecycleState {
    return this.#state;
  }
  /** Why the state is `failed`. */
  get failure(): KeyholdError | undefined {
    return this.#failure;
  }
  get backend(): Backend | undefined {
    return this.#backend;
  }
  get progress(): Underway | undefined {
    return this.#progress;
  }
  /** True while a get may be answered from memory, without asking `refusal` first. */
  get isServing(): boolean {
    return this.#state === 'open' && !this.#isLocking && !this.#parts.leases.isKeyOver;
  }
  /** True where nothing may be changed any more. While a backend is being opened a change that was queued before may still end. */
  get isShut(): boolean {
    return this.#isLocking || this.#state === 'locked' || this.#state === 'failed';
  }

  /**
   * True once everything that is held for the target's host is known while all else is still being read, and may be served. It
   * may wait for a part of the reading. False where that is not known before the backend is open, and while it is not opening.
   */
  async knowsHost(target: Target): Promise<boolean> {
    return (await this.#hosts.learn(target)) && this.isServingHost(target);
  }

  /** The same for a host that `knowsHost` was asked for before. */
  isServingHost(target: Target): boolean {
    return this.#hosts.isKnown(target) && !this.#parts.leases.isKeyOver;
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
    const { clock, leases, lockMark } = this.#parts;
    await this.settled();
    const mayHaveChanged = this.#failure !== undefined && !lockMark.isSet() && !this.#backend?.needsPassphrase;
    if (mayHaveChanged && clock.sinceBoot() >= this.#triedAt + RETRY_AFTER) {
      // The first of many callers opens; the others find it under way and wait with it.
      this.#triedAt = clock.sinceBoot();
      void this.open(this.#opening!);
      await this.settled();
    } else if (this.#state === 'opening') return this.refusal();
    if (this.#state === 'open' && leases.isKeyOver) this.forget();
    if (this.#state === 'open') return undefined;
    if (this.#state === 'failed') return { status: this.#failure!.status, message: this.#failure!.message };
    return lockedReply;
  }

  /** The backend for a change. Throws `locked` if the store was locked while this change was queued. */
  backendFor(verb: string): Backend {
    this.refuseLocked(verb);
    return this.backendToKeep();
  }

  /** The backend for what has to be kept, also while a lock waits for it. */
  backendToKeep(): Backend {
    this.#parts.onRest(this.#backend!.name);
    return this.#backend!;
  }

  /** Throws `locked` if the store was locked while a change was queued. */
  refuseLocked(verb: string): void {
    if (!this.isShut) return;
    throw new KeyholdError('locked', `cannot ${verb}: the credentials were locked meanwhile; run: keyhold unlock`);
  }

  /** Forgets everything in memory and serves nothing until `unlock`, also after a restart. */
  async lock(): Promise<void> {
    try {
      this.#parts.lockMark.set();
    } finally {
      this.#hosts.forget();
      this.#isLocking = true;
      await this.settled();
      // A request from now on is answered "locked"; what has begun comes to its end first.
      this.#state = 'locked';
      await this.#parts.queue.idle();
      if (this.#state === 'locked') this.forget();
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
    this.#parts.lockMark.clear();
    // Concurrent unlocks share one open().
    if (this.#state === 'opening') await this.settled();
    if (this.#state !== 'open') await this.open(async () => backend);
    if (this.#failure) throw this.#failure;
  }

  /**
   * Uses the backend that `carrying` answers with from now on, which is the one it was given if it could not carry
   * everything. Changes wait meanwhile, and those that were queued before have ended; gets are answered all the time.
   */
  async replace(carrying: (before: Backend) => Promise<Backend>): Promise<void> {
    await this.settled();
    this.#opened = this.#opened.then(() => this.#parts.queue.holdBack(() => this.#replace(carrying)));
    await this.#opened;
  }

  /** Notes how far work is that keeps changes waiting; undefined once it has ended. */
  report(progress: Underway | undefined): void {
    this.#progress = progress;
  }

  /** Wipes everything in memory and locks the backend, without a mark that outlives the process. */
  forget(): void {
    const { set, own, emit } = this.#parts;
    set.clear();
    own.clear();
    this.#backend?.lock();
    this.#failure = undefined;
    this.#state = 'locked';
    emit({ kind: 'locked' });
  }

  /** Waits for what is being written, wipes everything, and closes the backend. */
  async dispose(): Promise<void> {
    const { set, own, queue, leases } = this.#parts;
    this.#begun.resolve();
    await this.settled();
    await queue.idle();
    leases.dispose();
    set.clear();
    own.clear();
    await this.#backend?.dispose();
  }

  async #open(opening: () => Promise<Backend>): Promise<void> {
    const { set, own, leases, lockMark, clock } = this.#parts;
    this.#state = 'opening';
    this.#failure = undefined;
    try {
      const backend = await opening();
      this.#backend = backend;
      // What is tried again is this one, not the way to it.
      this.#opening = async () => backend;
      if (lockMark.isSet()) {
        this.forget();
        return;
      }
      set.forgetResting();
      leases.beginKey();
      this.#hosts.begin(backend);
      const all = own.learn(await backend.list((done, total) => this.#listed(done, total)));
      await inSlices(all, (held) => learn(set, held));
      if (lockMark.isSet()) {
        this.forget();
        return;
      }
      this.#state = 'open';
      leases.beginKey();
      this.#announce(backend, all.length);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#hosts.end();
      this.#progress = undefined;
    }
    this.#triedAt = clock.sinceBoot();
  }

  async #replace(carrying: (before: Backend) => Promise<Backend>): Promise<void> {
    const { set, own, leases } = this.#parts;
    try {
      // Now and not before: another replacement may have run since this one was asked for.
      const before = this.#backend!;
      const next = await carrying(before);
      if (next === before) return;
      this.#backend = next;
      this.#opening = async () => next;
      leases.beginKey();
      const all = own.learn(await next.list((done, total) => this.#listed(done, total)));
      await learnAnew(set, all);
      this.#announce(next, all.length);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#progress = undefined;
    }
  }

  #announce(backend: Backend, held: number): void {
    this.#parts.emit({ kind: 'opened', backend: backend.name, held });
    this.#parts.onOpen?.();
  }

  #fail(error: unknown): void {
    this.#failure = asFault(error);
    this.#state = this.#failure.status === 'locked' ? 'locked' : 'failed';
    this.#parts.emit({ kind: 'open-failed', code: this.#failure.code });
  }

  /** Notes how far the list is; ends the reading where the credentials were locked meanwhile. */
  #listed(done: number, total: number): void {
    this.#progress = { what: 'open', done, total };
    if (this.#parts.lockMark.isSet()) throw new KeyholdError('locked', LOCKED);
  }
}
