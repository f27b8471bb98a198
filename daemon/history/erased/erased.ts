import type { EpochSeconds, Seconds, Target } from '../../../protocol/credential.ts';
import { ERASED, type Held } from '../../backends/backend.ts';
import { type OwnRecords, ownTarget } from '../tombstones/own-records.ts';

/** What an erase took away, without its secrets: those rest sealed beside it. */
export type Erased = Held & {
  /** The name of its record in the bin. */
  readonly name: string;
  readonly erasedAt: EpochSeconds;
  /** By which helper; absent for one that came through none. */
  readonly tool?: string | undefined;
  /** The reading of the bin's clock when it came (elapsed.ts). */
  readonly since: Seconds;
};

/** As it rests: a record of our own. Its own `storedAt` is the time of the erase. */
type ErasedRecord = Held & { readonly erased: Omit<Erased, 'about' | 'name' | 'erasedAt'> };

export function recordOf({ name, about, erasedAt, ...erased }: Erased): Held {
  const record: ErasedRecord = { ...ownTarget(ERASED, name), id: name, storedAt: erasedAt, about, erased };
  return record;
}

/** What lies in a record of the bin; undefined for one that this version cannot read. */
export function erasedIn(record: Held): Erased | undefined {
  const { id: name, about, storedAt: erasedAt, erased } = record as Partial<ErasedRecord> & Held;
  if (typeof erased?.id !== 'string' || typeof erased.protocol !== 'string' || typeof erased.host !== 'string') {
    return undefined;
  }
  return { ...erased, name, about, erasedAt };
}

export function isSameTarget(one: Target, other: Target): boolean {
  const keys = ['protocol', 'host', 'path', 'username', 'front'] as const;
  return keys.every((key) => one[key] === other[key]);
}

/**
 * Purges what lies in the bin for the same target as a token that is dead or removed for good, and what has the same value.
 * Answers how many that were. Throws what the backend throws.
 */
export async function purgeErased(own: OwnRecords, dead: Target & Pick<Held, 'about'>): Promise<number> {
  let purged = 0;
  for (const record of own.of(ERASED)) {
    const erased = erasedIn(record);
    if (!erased) continue;
    const fingerprint = dead.about?.fingerprint;
    const isSameValue = fingerprint !== undefined && erased.about?.fingerprint === fingerprint;
    if (!isSameValue && !isSameTarget(erased, dead)) continue;
    await own.remove(record);
    purged++;
  }
  return purged;
}
