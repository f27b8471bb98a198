import type { CredentialReply } from '../../../protocol/handler.ts';
import { printable } from '../../../protocol/text.ts';
import { endUpstream } from '../end-upstream.ts';
import { refused } from '../outcomes.ts';
import { canProbe, probe, probeLife } from '../probe.ts';
import { noteVerified } from '../remote-show.ts';
import { overlapOf, strangerIn } from './compare.ts';
import { type Aside, bearerOf, type Rotation, tokenOf } from './rotation.ts';
import { putOver, restated, standsIn, type Turn, ways } from './turn.ts';

/** How a rotation goes on with a new token. `unverified`: why its service has not confirmed it. */
type Judgement = Pick<Rotation, 'way'> & { readonly unverified?: string };

/**
 * Whether the new token may take the place of the old one: another token, that works, and of the same account. Only a definite
 * refusal keeps it out; where the service gave no answer to go by it is marked as not verified. Answers the way in which the
 * rotation goes on; or why it does not, and then the old one serves as before.
 */
export async function judged(
  turn: Turn,
  rotation: Rotation,
  fresh: Aside,
  old: Aside,
): Promise<CredentialReply | Judgement> {
  const { parts, manifest, entry, book } = turn;
  const overlap = await overlapOf(turn, fresh, old);
  if (overlap === 'value') {
    await book.close(entry.id);
    const why = `${manifest.title} answered the token that is held already; nothing was revoked, and it serves on`;
    return refused('denied', 'rotate', why);
  }
  const replaced = overlap === 'id' && rotation.way !== 'trade' ? await replacedInPlace(turn, old) : undefined;
  if (replaced && 'status' in replaced) return replaced;
  const way = replaced?.way ?? rotation.way;
  const by = bearerOf(entry, fresh);
  const { isAlive, holder, isNamed, mayNotAsk } = await probe(parts, manifest, by);
  if (isAlive === undefined) {
    if (mayNotAsk || !canProbe(manifest, by.as)) return { way };
    return { way, unverified: `${manifest.title} could not be asked when it was rotated` };
  }
  // A trade has ended the old one: a bare 401, which may be a gateway's, must not end the only token that is left.
  if (!isAlive && !isNamed && way === 'trade' && !(await isOldAlive(turn, old))) {
    return { way, unverified: `${manifest.title} did not take it when it was rotated, and did not say why` };
  }
  const stranger = isAlive ? strangerIn(rotation, old.about, holder) : undefined;
  if (isAlive && stranger === undefined) return { way };
  const why =
    stranger === undefined
      ? `${manifest.title} does not take the new token`
      : `the new token stands for another account (${printable(stranger)})`;
  return discarded(turn, { ...rotation, way }, fresh, old, why);
}

/** The service has put another value under the id of the old one: whether that has ended the old value its own call tells. */
async function replacedInPlace(turn: Turn, old: Aside): Promise<CredentialReply | Pick<Rotation, 'way'>> {
  const { parts, manifest, entry, book } = turn;
  const isAlive = await probeLife(parts, manifest, bearerOf(entry, old));
  if (isAlive === false) return { way: 'trade' };
  const why = `${manifest.title} answered another value under the id of the old token: to revoke one would end both`;
  if (isAlive === undefined) {
    const rest = 'whether the old value still works could not be found out; nothing was revoked, and it serves on';
    return refused('unavailable', 'rotate', `${why}; ${rest}; ${ways(entry)}`);
  }
  await book.close(entry.id);
  return refused('denied', 'rotate', `${why}; nothing was revoked, and the old one serves on`);
}

/** Drops a new token that must not serve: it is ended at its service where we had it made, and the old one stays. */
async function discarded(
  turn: Turn,
  { way }: Rotation,
  fresh: Aside,
  old: Aside,
  why: string,
): Promise<CredentialReply> {
  const { parts, manifest, entry, book, as } = turn;
  // A trade has ended the old one, unless the service did not do what it answered.
  const oldLives = way !== 'trade' || (await isOldAlive(turn, old));
  // What a person pasted is not ours to end.
  const isOurs = way !== 'page' && (await overlapOf(turn, fresh, old)) === undefined;
  const end = isOurs
    ? await endUpstream(parts, manifest, tokenOf(entry, fresh), { as, token: fresh.secret })
    : undefined;
  await book.close(entry.id);
  const rest = way === 'page' || end?.status === 'ended' ? '' : '; delete the new one there';
  if (oldLives) return refused('denied', 'rotate', `${why}; the old one stays${rest}`);
  const dead = `${why}, and the old one has ended${rest}`;
  return refused('revoked', 'rotate', `${dead}; make a new one: keyhold token create, or keyhold auth login`);
}

async function isOldAlive({ parts, manifest, entry }: Turn, old: Aside): Promise<boolean> {
  return (await probeLife(parts, manifest, bearerOf(entry, old))) === true;
}

/** The new token serves and is not proved: the old one is not revoked before it is. */
export function unproved({ manifest, entry }: Turn): CredentialReply {
  const why = `${manifest.title} gave no answer that shows whether the new token works`;
  const rest = 'the new one serves, not verified, and the old one is not revoked';
  return refused('unavailable', 'rotate', `${why}; ${rest}; ${ways(entry)}`);
}

/** Notes beside a new token why it is not verified, or that it is. Answers it as it lies there now. */
export async function noted({ book, entry }: Turn, fresh: Aside, unverified: string | undefined): Promise<Aside> {
  const { unverified: _, ...about } = fresh.about;
  await book.keep('rotation-new', entry.id, {
    ...fresh,
    about: unverified === undefined ? about : { ...about, unverified },
  });
  return (await book.value('rotation-new', entry.id)) ?? fresh;
}

/**
 * Asks once more about a new token that serves and is not verified. Undefined: it works, or may not be asked about, and the old one
 * may be revoked. Else why the rotation does not go on; where the new one is refused, the old one serves again.
 */
export async function proved(
  turn: Turn,
  rotation: Rotation,
  fresh: Aside,
  old: Aside,
): Promise<CredentialReply | undefined> {
  const { parts, manifest, entry } = turn;
  const { isAlive, holder, mayNotAsk } = await probe(parts, manifest, bearerOf(entry, fresh));
  if (isAlive === undefined) return mayNotAsk ? undefined : unproved(turn);
  const stranger = isAlive ? strangerIn(rotation, old.about, holder) : undefined;
  if (isAlive && stranger === undefined) {
    if ((await standsIn(turn, fresh, old)) === 'new') await noteVerified(parts, parts.credentials.entries.at(entry));
    return undefined;
  }
  if ((await standsIn(turn, fresh, old)) === 'new') await putOver(turn, restated(old), fresh.secret);
  const why =
    stranger === undefined
      ? `${manifest.title} does not take the new token`
      : `the new token stands for another account (${printable(stranger)})`;
  return discarded(turn, rotation, fresh, old, why);
}
