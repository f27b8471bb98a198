import type { AboutChange } from '../../protocol/about.ts';
import type { CredentialReply, Detail, Refusal } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { callOf, type Manifest } from '../../protocol/services/index.ts';
import { printable } from '../../protocol/text.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Entry } from '../unlocked/set.ts';
import { told } from './asking.ts';
import type { Desk } from './desk.ts';
import { putValue } from './keep.ts';
import { refused } from './outcomes.ts';
import { mayMake } from './planning.ts';
import { endUpstream, rechecks } from './revoke.ts';
import { overlapOf, strangerIn, tokenIdOf } from './rotate-compare.ts';
import { isShorter, lifeBetween, lifeOf, livesTold } from './rotate-plan.ts';
import { type Aside, ghostOf, type Rotation, type RotationBook, type Step } from './rotation.ts';

/** One rotation under way, and what its caller has agreed to. */
export type Turn = {
  readonly desk: Desk;
  readonly book: RotationBook;
  readonly manifest: Manifest;
  readonly entry: Entry;
  /** Whose token makes the calls about others. */
  readonly as?: Entry | undefined;
  /** A shorter life is all right. */
  readonly mayBeShorter?: boolean;
  /** A person says that the old token is deleted at its service. */
  readonly isSaidDead?: boolean;
  readonly actor?: string | undefined;
};

/** Goes on from where a rotation stands to its end, or to where it cannot go on by itself: it stands there in the journal then. */
export async function goOn(turn: Turn, rotation: Rotation): Promise<CredentialReply> {
  const { book, entry } = turn;
  const fresh = await book.value('rotation-new', entry.id);
  const old = await book.value('rotation-old', entry.id);
  if (!fresh || !old) {
    // It had ended, and what lay beside was being removed.
    await book.close(entry.id);
    return ended(turn, 'gone', undefined, false);
  }
  let step: Step = rotation.step;
  let { way } = rotation;
  const reach = async (next: Step) => {
    step = next;
    await book.write({ ...rotation, way, step });
  };
  if (step === 'asked') await reach('made');
  if (step === 'made') {
    const made = await judged(turn, rotation, fresh, old);
    if ('status' in made) return made;
    way = made.way;
    await reach('probed');
  }
  if (step === 'probed') {
    const refusal = whyTooShort(turn, { way }, fresh, old) ?? (await swapped(turn, fresh, old));
    if (refusal) return refusal;
    await reach(way === 'trade' ? 'revoked' : 'swapped');
  }
  if (step === 'swapped' && isByHand(turn) && !turn.isSaidDead) return byHand(turn);
  if (step === 'swapped') await reach('revoking');
  let upstream = way === 'trade' ? 'traded' : 'gone';
  if (step === 'revoking') {
    const end = await revoked(turn, rotation, fresh, old);
    if ('status' in end) return end;
    upstream = end.upstream;
    await reach('revoked');
  }
  return finished(turn, fresh, old, upstream);
}

/**
 * Whether the new token may take the place of the old one: another token, that works, and of the same account. Answers the way in
 * which the rotation goes on; or why it does not, and then the old one serves as before.
 */
async function judged(
  turn: Turn,
  rotation: Rotation,
  fresh: Aside,
  old: Aside,
): Promise<CredentialReply | Pick<Rotation, 'way'>> {
  const { desk, manifest, entry, book } = turn;
  const overlap = await overlapOf(turn, fresh, old);
  if (overlap === 'value') {
    await book.close(entry.id);
    const why = `${manifest.title} answered the token that is held already; nothing was revoked, and it serves on`;
    return refused('denied', 'rotate', why);
  }
  const replaced = overlap === 'id' && rotation.way !== 'trade' ? await replacedInPlace(turn, old) : undefined;
  if (replaced && 'status' in replaced) return replaced;
  const way = replaced?.way ?? rotation.way;
  const ghost = ghostOf(entry, fresh);
  const { isAlive, holder } = await desk.probe(manifest, ghost, fresh.secret);
  if (isAlive === undefined) return way !== 'trade' && desk.canProbe(manifest, ghost) ? unsure(turn) : { way };
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
  const { desk, manifest, entry, book } = turn;
  const isAlive = await desk.isAlive(manifest, ghostOf(entry, old), old.secret);
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
  const { desk, manifest, entry, book, as } = turn;
  // A trade has ended the old one, unless the service did not do what it answered.
  const isOldAlive = way !== 'trade' || (await desk.isAlive(manifest, ghostOf(entry, old), old.secret)) === true;
  // What a person pasted is not ours to end.
  const isOurs = way !== 'page' && (await overlapOf(turn, fresh, old)) === undefined;
  const end = isOurs ? await endUpstream(desk, manifest, ghostOf(entry, fresh), as, fresh.secret) : undefined;
  await book.close(entry.id);
  const rest = way === 'page' || end?.status === 'ended' ? '' : '; delete the new one there';
  if (isOldAlive) return refused('denied', 'rotate', `${why}; the old one stays${rest}`);
  const dead = `${why}, and the old one has ended${rest}`;
  return refused('revoked', 'rotate', `${dead}; make a new one: keyhold token create, or keyhold auth login`);
}

function unsure({ manifest, entry }: Turn): CredentialReply {
  const why = `whether the new token works could not be found out at ${manifest.title}; the old one serves on`;
  return refused('unavailable', 'rotate', `${why}; ${ways(entry)}`);
}

/** How somebody goes on or back, in every refusal that leaves a journal. */
export function ways({ id, about }: Pick<Entry, 'id' | 'about'>): string {
  const name = about?.label !== undefined && /^[\w.@-]+$/.test(about.label) ? about.label : id;
  return `go on with: keyhold token rotate ${name}, or go back: keyhold token rotate ${name} --undo`;
}

function whyTooShort(
  turn: Turn,
  rotation: Pick<Rotation, 'way'>,
  fresh: Aside,
  old: Aside,
): CredentialReply | undefined {
  const { entry, mayBeShorter, desk } = turn;
  // A trade cannot be taken back: it was asked about before.
  if (mayBeShorter || rotation.way === 'trade' || fresh.expiresAt === undefined) return undefined;
  const oldLife = lifeOf({ expiresAt: old.expiresAt, about: old.about, storedAt: entry.storedAt });
  const newLife = lifeBetween(fresh.about.createdAt ?? desk.parts.clock.now(), fresh.expiresAt);
  if (!isShorter(oldLife, newLife)) return undefined;
  const why = 'the new token lives shorter than the old one, and nobody has agreed to that; the old one serves on';
  return {
    ...refused('interaction-required', 'rotate', `${why}; ${ways(entry)}`),
    details: livesTold(oldLife, newLife),
  };
}

/** The new one serves, under the same label and id. Run again it does nothing. */
async function swapped(turn: Turn, fresh: Aside, old: Aside): Promise<CredentialReply | undefined> {
  const stands = await standsIn(turn, fresh, old);
  if (stands === 'new') return undefined;
  if (stands === 'old') {
    await putValue(turn.desk, turn.entry, restated(fresh));
    return undefined;
  }
  const why = 'another value was stored in its place meanwhile, and that one stays';
  return refused('denied', 'rotate', `${why}; take the new one back: keyhold token rotate ${turn.entry.id} --undo`);
}

/** Which of the two stands in the credential now. */
export async function standsIn({ desk, entry }: Turn, fresh: Aside, old: Aside): Promise<'new' | 'old' | 'another'> {
  const held = await desk.parts.custody.secretsOf(entry);
  try {
    if (held?.secret?.equals(fresh.secret)) return 'new';
    return held?.secret?.equals(old.secret) ? 'old' : 'another';
  } finally {
    if (held) disposeSecrets(held);
  }
}

/** What lies aside as what is kept. */
export function restated({ secret, about, expiresAt }: Aside) {
  const { prefix: _, fingerprint: __, oauth: ___, ...change } = about;
  return { secret, about: change as AboutChange, expiresAt };
}

/** Whether no call ends a token of this kind: its person does, on the service's page. */
export function isByHand({ desk, manifest, entry }: Pick<Turn, 'desk' | 'manifest' | 'entry'>): boolean {
  const kind = desk.kindOf(manifest, entry);
  const self = callOf(manifest, 'revokeSelf', kind);
  return callOf(manifest, 'revoke', kind).status !== 'ok' && !(self.status === 'ok' && mayMake(self.call, kind));
}

function byHand({ manifest, entry }: Turn): CredentialReply {
  return { status: 'ok', ids: [entry.id], details: [['step', 'by-hand'], ...byHandDetails(manifest)] };
}

export function byHandDetails({ urls, rest }: Manifest): Detail[] {
  const revoke = rest?.revoke;
  return [
    ...told('page', urls?.dashboard ?? urls?.create),
    ...told('why', revoke && 'none' in revoke ? revoke.none : undefined),
  ];
}

/** The service has ended the old one; or why it has not. Never by an id that the new one has as well. */
async function revoked(
  turn: Turn,
  { before }: Rotation,
  fresh: Aside,
  old: Aside,
): Promise<CredentialReply | { readonly upstream: string }> {
  const { desk, manifest, entry, as } = turn;
  const ghost = ghostOf(entry, old);
  if (turn.isSaidDead && isByHand(turn)) {
    const isAlive = await desk.isAlive(manifest, ghost, old.secret);
    if (isAlive !== true) return { upstream: 'said' };
    return refused(
      'denied',
      'rotate',
      `${manifest.title} still takes the old token; delete it there, then run it again`,
    );
  }
  const spared = { id: await tokenIdOf(turn, fresh), among: before };
  const end = await endUpstream(desk, manifest, ghost, as, old.secret, spared);
  if (end.status === 'ended') return { upstream: end.how };
  const { status, message } = end.reply as Refusal;
  return { status, message: `${message}; the new token serves already; ${ways(entry)}` };
}

/** Remembers the old one as dead and shows by a probe that it is; then that the new one still works. */
async function finished(turn: Turn, fresh: Aside, old: Aside, upstream: string): Promise<CredentialReply> {
  const { desk, manifest, entry, book, actor } = turn;
  // A tool that held the old one may have stored it again: the dead one must not stand there.
  if ((await standsIn(turn, fresh, old)) === 'old') await putValue(desk, entry, restated(fresh));
  const ghost = ghostOf(entry, old);
  const tombstone = await desk.parts.tombstones.entomb(ghost, old.secret, { reason: 'rotated with keyhold', actor });
  const isAlive = await desk.isAlive(manifest, ghost, old.secret);
  const isWatched = await desk.rechecks.keep(manifest, tombstone, old.secret, isAlive);
  const serves = (await desk.probe(manifest, ghostOf(entry, fresh), fresh.secret)).isAlive;
  await book.close(entry.id);
  if (serves !== false) return ended(turn, upstream, isAlive, isWatched, serves);
  const what = `the old token was ended, and ${manifest.title} does not take the new one any more, either`;
  return refused('revoked', 'rotate', `${what}; make a new one: keyhold token create, or keyhold auth login`);
}

function ended(
  { desk, manifest, entry }: Turn,
  upstream: string,
  isAlive: boolean | undefined,
  isWatched: boolean,
  serves?: boolean,
): CredentialReply {
  return {
    status: 'ok',
    ids: [entry.id],
    details: [
      ['step', 'done'],
      ['upstream', upstream],
      ['probe', isAlive === undefined ? 'none' : isAlive ? 'alive' : 'dead'],
      ['serves', serves ? 'alive' : 'none'],
      ...told('expires_at', desk.parts.custody.at(entry)?.expiresAt),
      ...rechecks(manifest, isWatched),
    ],
  };
}

/** A copy of what stands in a credential, to lie beside it. */
export async function asideOf(
  { desk, entry }: Pick<Turn, 'desk' | 'entry'>,
  use: (aside: Aside) => Promise<void>,
): Promise<boolean> {
  const held = await desk.parts.custody.secretsOf(entry);
  try {
    const secret: Secret | undefined = held?.secret;
    if (secret) await use({ secret, about: entry.about ?? {}, expiresAt: entry.expiresAt });
    return secret !== undefined;
  } finally {
    if (held) disposeSecrets(held);
  }
}
