import type { CredentialReply, Standing } from '../../protocol/handler.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Caller } from '../socket/caller.ts';
import type { CredentialStore } from './held/credential-store.ts';
import type { Entry } from './unlocked/set.ts';

/** The answer to a store whose place holds something else than its caller has seen. */
export const overtakenReply: CredentialReply = {
  status: 'denied',
  message:
    'cannot store: another credential was stored in its place meanwhile, and that one stays; to see it: keyhold token list; to replace it, run the command again',
};

/**
 * Whether the place of a store still holds what its caller has seen. Run it in the turn of the target, and store in the same turn.
 * A value is compared with what rests: a keyring's item may have been changed by another program. Throws what the backend throws.
 */
export async function standsAsSeen(
  credentials: Pick<CredentialStore, 'values'>,
  before: Entry | undefined,
  seen: Standing,
  caller: Caller,
): Promise<boolean> {
  if ('storedAt' in seen) return (before?.storedAt ?? 0) === seen.storedAt;
  if (!before) return false;
  const held =
    (await release(credentials.values, before, caller, 'settle')) ??
    (await release(credentials.values, before, caller, 'compare'));
  if (!held) return false;
  try {
    return held.secret?.equals(seen.value) ?? false;
  } finally {
    disposeSecrets(held);
  }
}
