import { mergeAbout } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import { callOf, type Manifest, type Operation, type Read } from '../../protocol/services/index.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type Bearer, type CallParts, call, disposeAll } from './call.ts';
import { kindOfToken, mayMake } from './planning.ts';
import { tokenIdIn } from './probe.ts';
import { type Sight, sightOf } from './verdicts.ts';

/** What it takes to note what is learned of a held token. */
export type NoteParts = { readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'queue'> };

/** The calls by which a token tells its own id, and the fields in which they do: `id` of `whoami` may be the account's. */
const tells: Partial<Record<Operation, readonly ('id' | 'tokenId')[]>> = {
  introspect: ['tokenId', 'id'],
  whoami: ['tokenId'],
};

/** The service's own id of the token that made a call, as the answer tells it; undefined where it does not. */
export function ownIdIn(operation: Operation, read: Read): string | undefined {
  for (const field of tells[operation] ?? []) {
    const id = tokenIdIn({ tokenId: read[field] });
    if (id !== undefined) return id;
  }
  return undefined;
}

/**
 * Asks a service for its own id of a token, by the token itself, and notes it where the token is held. Undefined where it has no
 * such call, or gave no answer. The secret is borrowed.
 */
export async function learnOwnId(
  parts: CallParts & NoteParts,
  manifest: Manifest,
  by: Bearer,
): Promise<string | undefined> {
  const kind = kindOfToken(manifest, by.as);
  const entry = by.token === undefined ? by.as : undefined;
  for (const operation of Object.keys(tells) as Operation[]) {
    const choice = callOf(manifest, operation, kind);
    if (choice.status !== 'ok' || !mayMake(choice.call, kind) || choice.call.path.includes('{id}')) continue;
    if (!tells[operation]!.some((field) => choice.call.fields?.[field] !== undefined)) continue;
    const seen = entry && sightOf(entry);
    const heard = await call(parts, { manifest, operation, kind: kind.name, target: by.as, ...by });
    if (!heard.ok) continue;
    disposeAll(heard.secrets);
    const id = ownIdIn(operation, heard.read);
    if (entry && seen) await noteTokenId(parts, entry, seen, id);
    if (id !== undefined) return id;
  }
  return undefined;
}

/** Notes an id that is not known yet, unless another value stands there by now. */
export async function noteTokenId(
  parts: NoteParts,
  { id, ...place }: Target & Pick<Entry, 'id'>,
  seen: Sight,
  tokenId: string | undefined,
): Promise<void> {
  const { credentials } = parts;
  if (tokenId === undefined) return;
  await credentials.queue.run(place, async () => {
    const now = credentials.entries.at(place);
    const isSame = now?.id === id && sightOf(now).fingerprint === seen.fingerprint;
    if (isSame && now.about?.tokenId === undefined)
      await credentials.changes.annotate(now, mergeAbout(now.about, { tokenId }));
  });
}
