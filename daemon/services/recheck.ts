import { asFault } from '../../protocol/errors.ts';
import type { Secret } from '../../protocol/secret.ts';
import { type Manifest, secondsOf } from '../../protocol/services/index.ts';
import type { Degradation, Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { HOUR } from '../credentials/unlocked/lease.ts';
import { Sweeper } from '../credentials/unlocked/sweeper.ts';
import type { Audit } from '../history/audit/audit.ts';
import { ownTarget } from '../history/tombstones/own-records.ts';
import {
  afterLook,
  endOf,
  nextAt,
  planRecheck,
  type Recheck,
  type RecheckRecord,
  recheckIn,
} from '../history/tombstones/recheck.ts';
import type { Tombstone } from '../history/tombstones/tombstone.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { CallParts } from './call.ts';
import { canProbe, probeLife } from './probe.ts';
import { type KnownServices, serviceOf } from './which-service.ts';

/** What looking again needs. */
export type RecheckParts = CallParts &
  KnownServices & {
    readonly credentials: Pick<CredentialStore, 'lifecycle' | 'own'>;
    readonly tombstones: Tombstones;
    readonly clock: Clock;
    readonly audit: Pick<Audit, 'record'>;
    /** Whether the values of revoked tokens may be kept to look at them again. */
    readonly mayRecheck: boolean;
  };

/** A revoked token that is looked at again. */
export type Watched = { readonly record: RecheckRecord; readonly tombstone: Tombstone };

/**
 * Looks again at tokens that were revoked at services which may forget that (`life.recheck`): the value of each is kept at rest
 * beside its tombstone, and read for a look only. While nothing is kept no timer runs; who was off or locked looks on opening.
 */
export class Rechecks {
  readonly #parts: RecheckParts;
  readonly #sweeper: Sweeper;
  #looking = false;
  #disposed = false;

  constructor(parts: RecheckParts) {
    this.#parts = parts;
    // The wall clock may be set and a timer sleeps in suspend: within the hour it is noticed.
    this.#sweeper = new Sweeper(parts.clock, () => this.#begin(), HOUR);
  }

  /**
   * Keeps the value of a token that its service has just ended, where it is to be looked at again; `isAlive`: it works all the same.
   * Answers whether it did. The secret is borrowed.
   */
  async keep(manifest: Manifest, tombstone: Tombstone, secret: Secret, isAlive?: boolean): Promise<boolean> {
    const { credentials, clock, emit } = this.#parts;
    const planned = this.#plan(manifest, tombstone);
    const recheck = planned && isAlive ? afterLook(planned, true, clock.now()) : planned;
    const target = ownTarget('recheck', tombstone.id);
    try {
      if (recheck) await credentials.own.putAside(recordOf(tombstone, recheck, clock.now()), secret);
      else await this.#forget(credentials.own.at(target));
    } catch (error) {
      // The token is dead and buried all the same.
      emit({ kind: 'recheck-failed', id: tombstone.credential, code: asFault(error).code });
      return false;
    }
    this.watch();
    return recheck !== undefined;
  }

  /** The one of that id, which is its tombstone's. */
  of(id: string | undefined): Watched | undefined {
    return this.#all().find(({ tombstone }) => tombstone.id === id);
  }

  /** Sets the timer for what is due next. */
  watch(): void {
    const { credentials, clock } = this.#parts;
    if (this.#disposed || this.#looking || !credentials.lifecycle.isServing) return;
    const next = Math.min(...this.#all().map((watched) => this.#nextAt(watched)));
    if (next < Number.POSITIVE_INFINITY) this.#sweeper.by(clock.sinceBoot() + Math.max(next - clock.now(), 0));
  }

  /** Tokens that were revoked and work again. */
  degradations(): Degradation[] {
    return this.#all().flatMap(({ record: { recheck }, tombstone: { id, credential, host, username, about } }) => {
      if (!recheck.isAlive) return [];
      const { label = username ?? credential, service = host } = about ?? {};
      const what = `a token that was revoked works again: ${label} of ${service}`;
      return [{ code: 'token-revived', what, remedy: `run: keyhold token revoke ${id}` }];
    });
  }

  dispose(): void {
    this.#disposed = true;
    this.#sweeper.dispose();
  }

  #all(): Watched[] {
    const { credentials, tombstones } = this.#parts;
    const records = credentials.own.of('recheck').flatMap((record) => recheckIn(record) ?? []);
    if (records.length === 0) return [];
    const byId = new Map(tombstones.all().map((tombstone) => [tombstone.id, tombstone]));
    return records.flatMap((record) => {
      const tombstone = byId.get(record.id);
      return tombstone ? [{ record, tombstone }] : [];
    });
  }

  #plan(manifest: Manifest, tombstone: Tombstone): Recheck | undefined {
    const { clock, mayRecheck } = this.#parts;
    const after = manifest.life?.recheck?.flatMap((duration) => secondsOf(duration) ?? []) ?? [];
    if (!mayRecheck || !canProbe(manifest, tombstone)) return undefined;
    return planRecheck(after, clock.now(), tombstone.expiresAt);
  }

  /** Where nothing may be kept any more, what was kept goes at once. */
  #nextAt({ record: { recheck } }: Watched): number {
    return this.#parts.mayRecheck ? nextAt(recheck) : 0;
  }

  #begin(): undefined {
    if (this.#looking) return;
    this.#looking = true;
    void this.#lookAtAll().then((isWhole) => {
      this.#looking = false;
      // What could not be noted would be due again at once.
      if (isWhole) this.watch();
      else this.#sweeper.by(this.#parts.clock.sinceBoot() + HOUR);
    });
  }

  /** Looks at all that are due, one after the other. Answers whether everything that was seen could be kept. */
  async #lookAtAll(): Promise<boolean> {
    const { credentials, clock, emit } = this.#parts;
    let isWhole = true;
    for (const watched of this.#all()) {
      if (this.#disposed || !credentials.lifecycle.isServing) break;
      if (this.#nextAt(watched) > clock.now()) continue;
      await this.#lookAt(watched).catch((error) => {
        isWhole = false;
        emit({ kind: 'recheck-failed', id: watched.tombstone.credential, code: asFault(error).code });
      });
    }
    return isWhole || this.#disposed;
  }

  async #lookAt(watched: Watched): Promise<void> {
    const { credentials, clock } = this.#parts;
    const { record, tombstone } = watched;
    const { recheck } = record;
    if (!this.#parts.mayRecheck || clock.now() >= endOf(recheck)) return this.#forget(record);
    const secret = await credentials.own.secretAside(record);
    if (!secret) return this.#forget(record);
    const { manifest, isAlive } = await this.#probe(tombstone, secret);
    // Locked, revoked anew, or forgotten meanwhile.
    if (this.#disposed || credentials.own.at(record) !== record) return;
    this.#tell(tombstone, isAlive);
    const now = clock.now();
    // Somebody has ended it there: that may be forgotten as the first one was.
    const isEndedAnew = recheck.isAlive && isAlive === false;
    const next = isEndedAnew ? this.#plan(manifest!, tombstone) : afterLook(recheck, isAlive, now);
    const noted: RecheckRecord | undefined = next && { ...record, recheck: next };
    if (noted) await credentials.own.annotate(noted);
    else await this.#forget(record);
  }

  /** What the service says of it. A service that is unknown here by now, or must not be called, says nothing. */
  async #probe(
    tombstone: Tombstone,
    secret: Secret,
  ): Promise<{ readonly manifest?: Manifest; readonly isAlive?: boolean | undefined }> {
    try {
      const manifest = serviceOf(this.#parts, tombstone);
      return { manifest, isAlive: await probeLife(this.#parts, manifest, { as: tombstone, token: secret }) };
    } catch {
      return {};
    } finally {
      secret.dispose();
    }
  }

  #tell({ credential, about }: Tombstone, isAlive: boolean | undefined): void {
    const { audit, clock, emit } = this.#parts;
    const outcome = isAlive === undefined ? 'none' : isAlive ? 'alive' : 'dead';
    emit({ kind: 'rechecked', id: credential, service: about?.service, outcome });
    if (isAlive === undefined) return;
    const entry = { at: clock.now(), action: 'recheck', credential } as const;
    if (isAlive) void audit.record({ ...entry, outcome: 'interaction-required', reason: 'it works again' });
    else void audit.record({ ...entry, outcome: 'ok', reason: 'it is dead' });
  }

  async #forget(record: Held | undefined): Promise<void> {
    if (record) await this.#parts.credentials.own.remove(record);
  }
}

function recordOf({ id }: Tombstone, recheck: Recheck, storedAt: number): RecheckRecord {
  return { ...ownTarget('recheck', id), id, storedAt, recheck };
}
