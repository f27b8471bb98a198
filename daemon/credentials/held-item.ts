import type { Target } from '../../protocol/credential.ts';
import type { Grant } from '../../protocol/grant.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Use } from '../history/audit/usage.ts';
import type { Entry } from './unlocked/set.ts';

/** What an entry is and when it was used, for people: never a value. */
export function heldItem(entry: Entry, use?: Use): Record<string, unknown> {
  return {
    id: entry.id,
    ...targetItem(entry),
    authtype: entry.authtype,
    ...entry.about,
    oauth: undefined,
    refresh: refreshOf(entry.about?.oauth),
    ended: entry.about?.ended?.status,
    endedAt: entry.about?.ended?.at,
    shown: entry.shown,
    made: entry.made,
    fronts: entry.front === undefined ? entry.fronts : [entry.front],
    front: entry.front,
    storedAt: entry.storedAt,
    expiresAt: entry.expiresAt,
    unlocked: entry.inMemory !== undefined,
    memoryOnly: entry.resting === undefined,
    lastUsed: use?.last,
    uses: use?.count ?? 0,
  };
}

/** A target, as text for people. */
export function targetItem({ protocol, host, path, username }: Target): Record<string, string | undefined> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { protocol, host, path: text(path), username: text(username) };
}

/** `ours`: it is refreshed here; `begun`: one is under way, or was cut off; `ended`: a person has to sign in again. */
export function refreshOf(grant: Grant | undefined): string | undefined {
  if (!grant) return undefined;
  if (grant.ended) return 'ended';
  return grant.begunAt === undefined ? 'ours' : 'begun';
}
