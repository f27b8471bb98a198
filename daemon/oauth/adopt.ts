import { mergeAbout } from '../../protocol/about.ts';
import { release } from '../access/release.ts';
import { heldOf } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Marks } from '../history/tombstones/marks.ts';
import { agentItself } from '../socket/caller.ts';

/** Values before the present one that are recognised when a tool stores them again. */
export const EARLIER_MAX = 4;

/**
 * Whether another program has put a newer access token at rest in the place of ours, which is then taken over as it lies there:
 * a refresh would overwrite it. Our refresh token stays, for the day when the other is over: nothing says when that is. Run it
 * in the turn of the entry's target.
 */
export async function adoptNewer(
  {
    credentials,
    marks,
  }: { readonly credentials: Pick<CredentialStore, 'changes' | 'values'>; readonly marks: Pick<Marks, 'note'> },
  entry: Entry,
): Promise<boolean> {
  const grant = entry.about?.oauth;
  const resting = await release(credentials.values, entry, agentItself, 'settle');
  if (!resting) return false;
  try {
    const { secret, refreshToken } = resting;
    const fingerprint = entry.about?.fingerprint;
    if (!grant || !secret || fingerprint === undefined) return false;
    const { about: seen } = await marks.note(secret, entry, entry.about, true);
    const known = [fingerprint, ...(grant.earlier ?? [])];
    // One that we had before is no news: it is what somebody has put back.
    if (seen.fingerprint === undefined || known.includes(seen.fingerprint)) return false;
    const oauth = { ...grant, lifetime: undefined, earlier: known.slice(0, EARLIER_MAX) };
    const noted = mergeAbout(entry.about, { ...seen, oauth, ended: undefined });
    const adopted = { ...heldOf(entry), expiresAt: undefined, about: noted, shown: noted?.prefix };
    await credentials.changes.adopt(entry, adopted, { secret, refreshToken });
    return true;
  } finally {
    disposeSecrets(resting);
  }
}
