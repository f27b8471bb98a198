import { disposeSecrets } from '../backends/secrets.ts';
import type { Custody } from '../custody.ts';
import type { Entry } from '../unlocked/set.ts';

/**
 * Forgets an access token, in memory and at rest, and keeps what a new one is had for. Run it in the turn of the entry's
 * target.
 */
export async function dropAccess(custody: Custody, entry: Entry): Promise<void> {
  const kept = await custody.secretsAside(entry);
  if (!kept) return;
  try {
    const { protocol, host, path, username, id, authtype, storedAt, about } = entry;
    const held = { protocol, host, path, username, id, authtype, storedAt, about, expiresAt: 0 };
    await custody.renew(entry, held, { refreshToken: kept.refreshToken });
  } finally {
    disposeSecrets(kept);
  }
}
