import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import type { Held } from '../../backends/backend.ts';
import { HOUR } from '../../credentials/unlocked/lease.ts';

/**
 * When a token that was revoked is looked at again, and what the looks have shown, as values in and values out. By the wall
 * clock: services forget revocations by theirs.
 */
export type Recheck = {
  /** The looks that are to come, the next first. */
  readonly dueAt: readonly EpochSeconds[];
  /** When the token dies by itself, where that is known: then nobody has to look any more. */
  readonly expiresAt?: EpochSeconds | undefined;
  /** When it is let be if nobody has answered until then. */
  readonly giveUpAt: EpochSeconds;
  /** The last look that had an answer. */
  readonly lookedAt?: EpochSeconds | undefined;
  /** The token was found to work again. */
  readonly isAlive?: boolean | undefined;
  /** Looks without an answer since then, and when to look again beside `dueAt`. */
  readonly failures?: number | undefined;
  readonly retryAt?: EpochSeconds | undefined;
};

const DAY: Seconds = 24 * HOUR;
/** Pauses after a look without an answer: an hour, two, four, up to a day. */
const PAUSE_FIRST: Seconds = HOUR;
const PAUSE_MAX: Seconds = DAY;
/** How long after the last planned look a service may stay silent. */
const PATIENCE: Seconds = 30 * DAY;

/** The looks at a token that was revoked at `revokedAt`; undefined where it dies by itself before the first. */
export function planRecheck(
  after: readonly Seconds[],
  revokedAt: EpochSeconds,
  expiresAt?: EpochSeconds,
): Recheck | undefined {
  const dueAt = after
    .map((seconds) => revokedAt + seconds)
    .filter((at) => Number.isFinite(at) && (expiresAt === undefined || at < expiresAt))
    .sort((one, other) => one - other);
  return dueAt.length === 0 ? undefined : { dueAt, expiresAt, giveUpAt: dueAt.at(-1)! + PATIENCE };
}

/** When there is something to do: to look, or to end it. */
export function nextAt(recheck: Recheck): EpochSeconds {
  return Math.min(recheck.retryAt ?? recheck.dueAt[0] ?? Number.POSITIVE_INFINITY, endOf(recheck));
}

/** When it ends whatever was seen. What works again is told until somebody acts. */
export function endOf({ expiresAt = Number.POSITIVE_INFINITY, giveUpAt, isAlive }: Recheck): EpochSeconds {
  return isAlive ? expiresAt : Math.min(expiresAt, giveUpAt);
}

/** What comes after a look; `isAlive` is undefined where there was no answer. Undefined: there is none to come. */
export function afterLook(recheck: Recheck, isAlive: boolean | undefined, now: EpochSeconds): Recheck | undefined {
  if (isAlive === undefined) {
    const failures = (recheck.failures ?? 0) + 1;
    return { ...recheck, failures, retryAt: now + Math.min(PAUSE_FIRST * 2 ** (failures - 1), PAUSE_MAX) };
  }
  // One look catches up with all that are due.
  const { expiresAt, giveUpAt } = recheck;
  const dueAt = recheck.dueAt.filter((at) => at > now);
  const seen = { dueAt, expiresAt, giveUpAt, lookedAt: now };
  if (isAlive) return { ...seen, isAlive, retryAt: now + DAY };
  return dueAt.length === 0 ? undefined : seen;
}

/** A record of ours with a recheck in it: its secret is the value of the token. */
export type RecheckRecord = Held & { readonly recheck: Recheck };

/** Undefined for one that this version cannot read. */
export function recheckIn(record: Held): RecheckRecord | undefined {
  const { recheck } = record as Partial<RecheckRecord>;
  if (!Array.isArray(recheck?.dueAt) || typeof recheck.giveUpAt !== 'number') return undefined;
  return record as RecheckRecord;
}
