import type { Seconds } from '../../protocol/credential.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import type { Held, Secrets } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import type { Entry } from './unlocked/set.ts';

/** Which of what is held a request means and can take, as values in and values out. */

/** What this caller can take, and means. */
export function acceptorOf(request: DecodedRequest): (entry: Entry) => boolean {
  const accepts = request.capabilities.authtype ? isAny : isPlain;
  const isPathFree = !request.exactPath || request.target!.path !== undefined;
  if (isPathFree && request.id === undefined) return accepts;
  return (entry) => isMeant(entry, request) && accepts(entry);
}

/** Whether a request that names an id, or the whole host alone, means this one. */
export function isMeant(entry: Entry, { exactPath, id, target }: DecodedRequest): boolean {
  if (id !== undefined && entry.id !== id) return false;
  return !exactPath || target!.path !== undefined || isOfHost(entry);
}

/** Dead, by its date or by its service's word, or too close to it for this caller. */
export function isExpired(held: Held, clock: Clock, minTtl: Seconds = 0): boolean {
  if (held.about?.ended !== undefined) return true;
  return held.expiresAt !== undefined && held.expiresAt <= clock.now() + minTtl;
}

/** Whether a store brings what is held already; what it leaves out (an old git knows no expiry) is no difference. */
export function isSame(entry: Entry, { secret, refreshToken }: Secrets, request: DecodedRequest): boolean {
  if (entry.authtype !== request.authtype) return false;
  if (request.expiresAt !== undefined && request.expiresAt !== entry.expiresAt) return false;
  if (request.secret !== undefined && !(secret?.equals(request.secret) ?? false)) return false;
  return request.refreshToken === undefined || (refreshToken?.equals(request.refreshToken) ?? false);
}

/** For a caller that takes a value of the Authorization header, and for one that knows only passwords. */
const isAny = () => true;
const isPlain = ({ authtype }: Entry) => authtype === undefined;
const isOfHost = ({ path }: Entry) => path === undefined;
