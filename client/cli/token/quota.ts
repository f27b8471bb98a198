import type { Manifest } from '../../../protocol/services/index.ts';
import type { TokenItem } from './item.ts';

/** How many of a service's tokens are active, of how many; without `limit` the service is not known to have one. */
export type Quota = { readonly active: number; readonly limit: number | undefined };

/**
 * Counts the active tokens of a service among what is held, for people to see: what is past its expiry does not count, and neither
 * does a session, because limits are about tokens that somebody made. Whether one more may be made the agent decides, which asks
 * the service's own list too. `now` is in epoch seconds.
 */
export function quotaOf({ id, limits }: Manifest, held: readonly TokenItem[], now: number): Quota {
  const isActive = ({ service, kind, expiresAt }: TokenItem) =>
    service === id && kind !== 'session' && (expiresAt === undefined || expiresAt > now);
  return { active: held.filter(isActive).length, limit: limits?.active };
}
