import type { CredentialReply, Refusal } from '../../../protocol/handler.ts';
import { told } from '../asking.ts';
import { endUpstream } from '../end-upstream.ts';
import { refused } from '../outcomes.ts';
import { probeLife } from '../probe.ts';
import { overlapOf, tokenIdOf } from './compare.ts';
import { hasServed } from './machine.ts';
import { type Aside, bearerOf, type Rotation, tokenOf } from './rotation.ts';
import { putOver, restated, standsIn, type Turn } from './turn.ts';

/** The old one serves again, and the service has ended the new one. */
export async function goBack(turn: Turn, rotation: Rotation): Promise<CredentialReply> {
  const { parts, book, entry, manifest, as } = turn;
  const fresh = await book.value('rotation-new', entry.id);
  const old = await book.value('rotation-old', entry.id);
  const isThere = parts.credentials.entries.at(entry)?.id === entry.id;
  const stands = fresh && old && isThere ? await standsIn(turn, fresh, old) : undefined;
  // Where another value was stored meanwhile there is nothing to go back to, and the new token alone is taken back.
  const isOldDead = rotation.step === 'revoked' || (rotation.way === 'trade' && stands !== 'another');
  if (isThere && isOldDead) {
    return refused('revoked', 'rotate', `the old token is dead; go on with: keyhold token rotate ${entry.id}`);
  }
  if (fresh && old && stands === 'new') {
    const why = await whyNotBack(turn, rotation, old);
    if (why) return why;
    await putOver(turn, restated(old), fresh.secret);
    await book.write({ ...rotation, step: 'made' });
  }
  let rest = '';
  // What serves under the label is not taken away from it, and what a person has removed they have ended as they like.
  const standing = parts.credentials.entries.at(entry)?.about?.tokenId;
  const isOneToken =
    fresh &&
    old &&
    ((await overlapOf(turn, fresh, old)) !== undefined ||
      // What was stored meanwhile may be the same token under another value.
      (stands === 'another' && standing !== undefined && standing === (await tokenIdOf(turn, fresh))));
  if (fresh && !isOneToken && (isThere || !hasServed(rotation.step))) {
    const ended = await endUpstream(parts, manifest, tokenOf(entry, fresh), { as, token: fresh.secret });
    if (ended.status !== 'ended' && ended.reply.status !== 'unsupported') {
      const { status, message } = ended.reply as Refusal;
      return { status, message: `${message}; the old token serves; run it again` };
    }
    const obituary = { reason: 'its rotation was undone', actor: turn.actor };
    if (ended.status === 'ended') {
      const tombstone = await parts.tombstones.entomb(tokenOf(entry, fresh), fresh.secret, obituary);
      await parts.rechecks.keep(manifest, tombstone, fresh.secret);
    } else rest = manifest.urls?.dashboard ?? manifest.urls?.create ?? manifest.title;
  }
  await book.close(entry.id);
  return { status: 'ok', ids: [entry.id], details: [['step', 'undone'], ...(rest ? told('delete_at', rest) : [])] };
}

/** Before the old one serves again it must live. */
async function whyNotBack(turn: Turn, { step }: Rotation, old: Aside): Promise<CredentialReply | undefined> {
  const { parts, manifest, entry } = turn;
  const now = parts.clock.now();
  if (old.expiresAt !== undefined && old.expiresAt <= now) {
    return refused('expired', 'rotate', 'the old token has expired meanwhile; the new one serves');
  }
  const isAlive = await probeLife(parts, manifest, bearerOf(entry, old));
  if (isAlive === false) return refused('revoked', 'rotate', 'the old token is dead already; the new one serves');
  if (isAlive === undefined && step === 'revoking') {
    return refused('unavailable', 'rotate', 'whether the old token lives could not be found out; the new one serves');
  }
  return undefined;
}
