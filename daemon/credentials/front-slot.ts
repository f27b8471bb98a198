import type { Target } from '../../protocol/credential.ts';
import type { DecodedRequest } from '../../protocol/handler.ts';
import { release } from '../access/release.ts';
import { type Held, heldOf } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Caller } from '../socket/caller.ts';
import { isFrontsAlone, placingOf } from './fronts.ts';
import type { CredentialStore } from './held/credential-store.ts';
import type { Entry } from './unlocked/set.ts';

/** Where a store goes, and the marks that what it keeps has from then on. */
export type FrontSlot = Pick<Held, 'fronts' | 'frontOnly'> & { readonly target: Target };

/**
 * Finds the slot of a store, in the turn of its target. `marked` instead: the value is kept already and has the mark now,
 * with its id if that was news. Throws what the backend throws; nothing is lost then.
 */
export async function frontSlot(
  credentials: Pick<CredentialStore, 'changes' | 'entries' | 'values'>,
  target: Target,
  request: DecodedRequest,
  caller: Caller,
): Promise<FrontSlot | { readonly marked: string | undefined }> {
  const { front, made, secret, replaces } = request;
  const before = credentials.entries.at(target);
  if (replaces !== undefined && before?.id === replaces) {
    return { target, fronts: before.fronts, frontOnly: before.frontOnly };
  }
  const mayMeet = before !== undefined && (front !== undefined || before.frontOnly === true);
  const isSameValue = mayMeet && secret !== undefined && (await holds(credentials, before, request, caller));
  const own = front === undefined ? undefined : credentials.entries.at({ ...target, front });
  const isUsers = made !== undefined && made !== 'tool';
  const placing = placingOf({ front, isUsers }, before, isSameValue, own !== undefined);
  switch (placing.to) {
    case 'marked':
      if (own) await credentials.changes.remove(own);
      return { marked: await mark(credentials, before!, front!) };
    case 'own':
      return { target: { ...target, front }, fronts: [front!], frontOnly: true };
    case 'target-after-move':
      await moveAside(credentials, before!, placing.owner, caller);
      return { target, fronts: [], frontOnly: undefined };
    case 'target':
      return { target, fronts: placing.fronts, frontOnly: placing.frontOnly };
  }
}

/**
 * Whether an erase means this one. A tool that does not say which value it wants gone does not mean what only a front has
 * brought; the user does, and so does every caller that names the value or the id.
 */
export function mayErase({ tool, secret, id }: DecodedRequest, entry: Entry): boolean {
  const isNamed = secret !== undefined || id !== undefined;
  return isNamed || tool === undefined || tool === 'keyhold' || !isFrontsAlone(entry);
}

async function holds(
  credentials: Pick<CredentialStore, 'values'>,
  entry: Entry,
  { secret, authtype }: DecodedRequest,
  caller: Caller,
): Promise<boolean> {
  if (entry.authtype !== authtype) return false;
  const held = await release(credentials.values, entry, caller, 'compare');
  if (!held) return false;
  try {
    return held.secret?.equals(secret!) ?? false;
  } finally {
    disposeSecrets(held);
  }
}

/** Answers the id if the mark is new. */
async function mark(
  credentials: Pick<CredentialStore, 'changes'>,
  entry: Entry,
  front: string,
): Promise<string | undefined> {
  if (entry.fronts?.includes(front)) return undefined;
  await credentials.changes.amend(entry, { fronts: [...(entry.fronts ?? []), front] });
  return entry.id;
}

/**
 * What a front alone has brought becomes that front's own, under the same id, before another tool's value takes the place
 * for the target: cut between the two, both places hold the front's value.
 */
async function moveAside(
  credentials: Pick<CredentialStore, 'changes' | 'values'>,
  entry: Entry,
  front: string,
  caller: Caller,
): Promise<void> {
  const secrets = await release(credentials.values, entry, caller, 'move');
  if (!secrets) return;
  try {
    const held = { ...heldOf(entry), front, fronts: [front], frontOnly: true };
    if (entry.resting) await credentials.changes.put(held, secrets);
    else await credentials.changes.putInMemory(held, secrets);
    await credentials.changes.remove(entry);
  } finally {
    disposeSecrets(secrets);
  }
}
