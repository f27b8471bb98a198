import type { About } from '../../../protocol/about.ts';
import type { EpochSeconds, Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { CredentialReply } from '../../../protocol/handler.ts';
import type { Held } from '../../backends/backend.ts';
import type { Mark } from './marks.ts';
import { ownTarget } from './own-records.ts';

/** Why somebody ended a token, as they say it. */
export type Obituary = {
  readonly reason?: string | undefined;
  /** Who did it. */
  readonly actor?: string | undefined;
};

/** What remains of a revoked token: where it was for, what is known of it, a mark of its value; never the value. */
export type Tombstone = Target &
  Obituary & {
    readonly id: string;
    /** The id that the credential had, by which the audit log knows it. */
    readonly credential: string;
    readonly about?: About | undefined;
    readonly storedAt: EpochSeconds;
    readonly expiresAt?: EpochSeconds | undefined;
    /** When it was known to be dead. */
    readonly revokedAt: EpochSeconds;
    /** Absent where the value was gone already. */
    readonly mark?: Mark | undefined;
  };

/** A tombstone as it rests. */
type TombstoneRecord = Held & { readonly tombstone: Omit<Tombstone, 'about' | 'id' | 'revokedAt'> };

export function recordOf({ id, about, revokedAt, ...tombstone }: Tombstone): Held {
  const record: TombstoneRecord = { ...ownTarget('tombstone', id), id, storedAt: revokedAt, about, tombstone };
  return record;
}

/** A tombstone back from its record; undefined for one that this version cannot read. */
export function tombstoneIn(record: Held): Tombstone | undefined {
  const { id, about, storedAt: revokedAt, tombstone } = record as Partial<TombstoneRecord> & Held;
  if (typeof tombstone?.protocol !== 'string' || typeof tombstone.host !== 'string') return undefined;
  return { ...tombstone, id, about, revokedAt };
}

/** Why a get finds nothing. */
export function revokedReply(tombstone: Tombstone): CredentialReply {
  return { status: 'revoked', message: `the token ${passing(tombstone)}; store a new one` };
}

/** Why a store is refused. */
export function refusalOf(tombstone: Tombstone): CredentialReply {
  const message = `cannot store: this token ${passing(tombstone)}; make a new one, or force it (keyhold token set --force)`;
  return { status: 'revoked', message };
}

/** Why what was erased is not brought back. */
export function restoreRefusalOf(tombstone: Tombstone): KeyholdError {
  return new KeyholdError('token_revoked', `cannot restore: this token ${passing(tombstone)}; make a new one`);
}

function passing({ revokedAt, reason }: Tombstone): string {
  const day = new Date(revokedAt * 1_000).toISOString().slice(0, 10);
  return `was revoked on ${day}${reason === undefined ? '' : ` (${reason})`}`;
}
