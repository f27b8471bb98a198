import { randomBytes } from 'node:crypto';
import type { Seconds, Target } from '../../../protocol/credential.ts';
import { asFault, KeyholdError } from '../../../protocol/errors.ts';
import { ERASED, type Held, heldOf } from '../../backends/backend.ts';
import type { Clock } from '../../clock.ts';
import type { CredentialStore } from '../../credentials/held/credential-store.ts';
import { newestDate } from '../../credentials/slot.ts';
import { HOUR } from '../../credentials/unlocked/lease.ts';
import type { Entry } from '../../credentials/unlocked/set.ts';
import { Sweeper } from '../../credentials/unlocked/sweeper.ts';
import type { Emit } from '../../events/agent-event.ts';
import { ownTarget } from '../tombstones/own-records.ts';
import { restoreRefusalOf } from '../tombstones/tombstone.ts';
import type { Tombstones } from '../tombstones/tombstones.ts';
import { type Elapsed, elapsedBy } from './elapsed.ts';
import { type Erased, erasedIn, isSameTarget, recordOf } from './erased.ts';

/** Values that the bin holds at most; beyond that the oldest go. */
export const ERASED_MAX = 1_000;
/** How often the bin's clock is written while something lies in the bin. */
const WRITE_CLOCK_AFTER: Seconds = HOUR;

type ClockRecord = Held & { readonly elapsed: Elapsed };

export type RestoreBinParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle' | 'own' | 'queue'>;
  readonly tombstones: Tombstones;
  readonly clock: Clock;
  readonly emit: Emit;
  /** How long a value stays; 0: the bin is off, and empty. */
  readonly keep: Seconds;
};

/**
 * What an erase takes away lies here for some days: a server that is out of order, a 401 for another account or one
 * `logout --all` must not destroy a token that a service showed only once. Values rest sealed in the backend, one for each
 * target. Nothing in the bin is served, refreshed, backed up, or in memory.
 */
export class RestoreBin {
  readonly #parts: RestoreBinParts;
  readonly #sweeper: Sweeper;
  #sweeping = false;
  #disposed = false;

  constructor(parts: RestoreBinParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper(parts.clock, () => this.#begin(), HOUR);
  }

  /** What lies in it and can be brought back, the newest first. */
  all(): readonly Erased[] {
    const now = this.#now().passed;
    return this.#records()
      .filter((erased) => this.#left(erased, now) > 0)
      .reverse();
  }

  /** For how much longer a value stays. */
  left(erased: Erased): Seconds {
    return this.#left(erased, this.#now().passed);
  }

  /**
   * Takes an entry out of memory and of its backend and into the bin, in one durable step; or removes it for good where the bin
   * does not take it: it rests nowhere, it has expired, it is known to be revoked, or the bin is off. In the turn of its target.
   * Throws what the backend throws; nothing has changed then.
   */
  async erase(entry: Entry, tool?: string): Promise<void> {
    const erased = this.#takes(entry) ? await this.take(entry, tool) : undefined;
    if (!erased) {
      await this.#parts.credentials.changes.remove(entry);
      return;
    }
    await this.#tidy((one) => one.name !== erased.name && isSameTarget(one, erased));
  }

  /** The same without a look at what the bin holds for this target already, for one that makes room for another value. */
  async take(entry: Entry, tool?: string): Promise<Erased | undefined> {
    const { credentials, clock } = this.#parts;
    const since = (await this.#writeClock()).passed;
    const name = randomBytes(10).toString('hex');
    const erased: Erased = { ...heldOf(entry), name, erasedAt: clock.now(), tool, since };
    await credentials.changes.setAside(entry, recordOf(erased));
    this.#sweeper.by(clock.sinceBoot() + this.left(erased));
    return erased;
  }

  /**
   * Brings a value back to where it was taken away. Throws `not_found`, and `interaction_required` where another value has its
   * place and `mayReplace` is false; with it that one goes into the bin. Throws `token_revoked` where it has been revoked since.
   */
  async restore(id: string, mayReplace: boolean): Promise<Held> {
    const { credentials, clock } = this.#parts;
    const found = this.all().find((one) => one.id === id || one.name === id);
    if (!found) {
      throw new KeyholdError(
        'not_found',
        'cannot restore: nothing with that id was erased; see: keyhold token list --erased',
      );
    }
    await this.#refuseRevoked(found);
    return credentials.queue.run(found, async () => {
      credentials.lifecycle.refuseLocked('restore');
      const record = credentials.own.at(recordOf(found));
      if (!record) throw new KeyholdError('not_found', 'cannot restore: it was taken out of the restore bin meanwhile');
      const there = credentials.entries.at(found);
      if (there && !mayReplace) {
        throw new KeyholdError(
          'interaction_required',
          `cannot restore: another token is kept in its place; to replace it: keyhold token restore ${found.id} --yes`,
        );
      }
      const namesake = credentials.entries.byId(found.id);
      const isFree = namesake === undefined || namesake === there;
      const held: Held = {
        ...heldOf(found),
        id: isFree ? found.id : randomBytes(10).toString('hex'),
        storedAt: newestDate(credentials.entries, clock, found),
      };
      await this.replacing(there, () => credentials.changes.bringBack(record, held));
      return held;
    });
  }

  /**
   * Runs `keep`, which puts another value in the place of `there`: that goes into the bin first, and back where it was if `keep`
   * throws. Cut in between, both values rest. In the turn of their target.
   */
  async replacing(there: Entry | undefined, keep: () => Promise<void>): Promise<void> {
    const { credentials } = this.#parts;
    const replaced = there && this.#takes(there) ? await this.take(there) : undefined;
    try {
      await keep();
    } catch (error) {
      if (replaced) await credentials.changes.bringBack(recordOf(replaced), heldOf(replaced));
      throw error;
    }
    if (replaced) await this.#tidy((one) => one.name !== replaced.name && isSameTarget(one, replaced));
  }

  /** Removes for good what a request names: its target, and the id where it has one. Answers how many that were. */
  async purge(target: Target, id?: string): Promise<number> {
    const { own } = this.#parts.credentials;
    const isNamed = (one: Erased) =>
      (id === undefined || one.id === id || one.name === id) &&
      one.protocol === target.protocol &&
      one.host === target.host &&
      (target.path === undefined || one.path === target.path) &&
      (target.username === undefined || one.username === target.username);
    const named = this.#records().filter(isNamed);
    for (const erased of named) await own.remove(recordOf(erased));
    return named.length;
  }

  /** Takes what has lain here long enough away, and looks again later; runs on opening. */
  watch(): void {
    if (!this.#disposed && this.#parts.credentials.own.of(ERASED).length > 0) this.#begin();
  }

  dispose(): void {
    this.#disposed = true;
    this.#sweeper.dispose();
  }

  /** Whether an erased entry goes into the bin. */
  #takes({ resting, expiresAt, about }: Entry): boolean {
    const { credentials, tombstones, clock, keep } = this.#parts;
    if (keep === 0 || resting === undefined || !credentials.lifecycle.backend?.durable) return false;
    if (expiresAt !== undefined && expiresAt <= clock.now() && about?.oauth === undefined) return false;
    if (about?.ended !== undefined) return false;
    const fingerprint = about?.fingerprint;
    return !(fingerprint && tombstones.all().some((one) => one.about?.fingerprint === fingerprint));
  }

  async #refuseRevoked(erased: Erased): Promise<void> {
    const { credentials, tombstones } = this.#parts;
    const keys = tombstones.keys();
    if (keys.size === 0) return;
    const secret = await credentials.own.secretAside(recordOf(erased));
    if (!secret) return;
    try {
      const tombstone = tombstones.of(await tombstones.marks.marksOf(secret, erased, erased.about, keys));
      if (tombstone) throw restoreRefusalOf(tombstone);
    } finally {
      secret.dispose();
    }
  }

  /** Oldest first. */
  #records(): Erased[] {
    return this.#parts.credentials.own.of(ERASED).flatMap((record) => erasedIn(record) ?? []);
  }

  #left({ since }: Erased, now: Seconds): Seconds {
    return this.#parts.keep - (now - since);
  }

  #begin(): undefined {
    if (this.#sweeping || this.#disposed) return undefined;
    this.#sweeping = true;
    void this.#sweep().finally(() => {
      this.#sweeping = false;
    });
    return undefined;
  }

  async #sweep(): Promise<void> {
    const { credentials, clock, emit } = this.#parts;
    try {
      if (!credentials.lifecycle.isServing) return;
      if (credentials.own.of(ERASED).length === 0) return;
      await this.#tidy(() => false);
      const next = this.#records()[0];
      if (next) this.#sweeper.by(clock.sinceBoot() + Math.max(this.left(next), 1));
    } catch (error) {
      emit({ kind: 'erased-failed', code: asFault(error).code });
      this.#sweeper.by(clock.sinceBoot() + HOUR);
    }
  }

  /** Removes for good what is due, what is beyond the bound, and what else is named. */
  async #tidy(isOver: (erased: Erased) => boolean): Promise<void> {
    const { credentials } = this.#parts;
    const now = (await this.#writeClock()).passed;
    const all = this.#records();
    const beyond = all.length - ERASED_MAX;
    for (const [at, erased] of all.entries()) {
      if (at >= beyond && this.#left(erased, now) > 0 && !isOver(erased)) continue;
      const record = credentials.own.at(recordOf(erased));
      if (record) await credentials.own.remove(record);
    }
  }

  /** The bin's clock by now. */
  #now(): Elapsed {
    const { clock } = this.#parts;
    const now = { wall: clock.now(), boot: clock.sinceBoot() };
    const written = this.#written();
    return written ? elapsedBy(written, now) : { passed: 0, ...now };
  }

  #written(): Elapsed | undefined {
    const { elapsed } = (this.#parts.credentials.own.at(CLOCK) ?? {}) as Partial<ClockRecord>;
    return typeof elapsed?.passed === 'number' ? elapsed : undefined;
  }

  /** The same, written where what is written is old. */
  async #writeClock(): Promise<Elapsed> {
    const { credentials, clock } = this.#parts;
    const now = this.#now();
    const written = this.#written();
    const isFresh = written && now.passed - written.passed < WRITE_CLOCK_AFTER && now.boot >= written.boot;
    if (!isFresh) {
      const record: ClockRecord = { ...CLOCK, id: 'erased-clock', storedAt: clock.now(), elapsed: now };
      await credentials.own.put(record);
    }
    return now;
  }
}

const CLOCK = ownTarget('erased-clock', 'passed');
