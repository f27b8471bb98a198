import type { DecodedRequest } from '../../protocol/handler.ts';
import { release } from '../access/release.ts';
import type { Held } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Caller } from '../socket/caller.ts';
import type { CredentialStore } from './held/credential-store.ts';

/** The username that git sends with a token that is kept without one. */
export type GitUsername = (held: Held) => string | undefined;

/**
 * What git stores and erases after it was given a token in another form than the one in which it is held: with the username of
 * its service, or as a Bearer value. Answers the request for what is held, so that a success keeps no second copy and a refusal
 * finds the token; any other request of git is answered as it is. Throws what reading the value throws.
 */
export async function asHeld(
  credentials: Pick<CredentialStore, 'entries' | 'values'>,
  request: DecodedRequest,
  gitUsername: GitUsername,
  caller: Caller,
): Promise<DecodedRequest> {
  const { secret, authtype, target } = request;
  if (!secret || !target) return request;
  const { protocol, host, path, username } = target;
  const isBearer = authtype?.toLowerCase() === 'bearer';
  const isForm = (entry: Held) => isBearer || (entry.username === undefined && gitUsername(entry) === username);
  if (!isBearer && (authtype !== undefined || username === undefined)) return request;
  const candidates = credentials.entries
    .findAll({ protocol, host, path, username: isBearer ? username : undefined })
    .filter((entry) => entry.authtype === undefined && isForm(entry));
  for (const entry of candidates) {
    const held = await release(credentials.values, entry, caller, 'compare');
    const isSame = held?.secret?.equals(secret) ?? false;
    if (held) disposeSecrets(held);
    if (isSame)
      return { ...request, authtype: undefined, target: { ...target, path: entry.path, username: entry.username } };
  }
  return request;
}
