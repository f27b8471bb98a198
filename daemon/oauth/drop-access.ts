import { release } from '../access/release.ts';
import { heldOf } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Caller } from '../socket/caller.ts';

/**
 * Forgets an access token, in memory and at rest, and keeps what a new one is had for. Run it in the turn of the entry's
 * target.
 */
export async function dropAccess(
  credentials: Pick<CredentialStore, 'changes' | 'values'>,
  entry: Entry,
  caller: Caller,
): Promise<void> {
  const kept = await release(credentials.values, entry, caller, 'refresh');
  if (!kept) return;
  try {
    await credentials.changes.renew(entry, { ...heldOf(entry), expiresAt: 0 }, { refreshToken: kept.refreshToken });
  } finally {
    disposeSecrets(kept);
  }
}
