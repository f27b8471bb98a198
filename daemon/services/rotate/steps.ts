import type { CredentialReply, Detail, Refusal } from '../../../protocol/handler.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { callOf, type Manifest } from '../../../protocol/services/index.ts';
import { release } from '../../access/release.ts';
import { disposeSecrets } from '../../backends/secrets.ts';
import { told } from '../asking.ts';
import { endUpstream } from '../end-upstream.ts';
import { refused } from '../outcomes.ts';
import { kindOfToken, mayMake } from '../planning.ts';
import { probe, probeLife } from '../probe.ts';
import { noteVerified } from '../remote-show.ts';
import { rechecks } from '../revoke.ts';
import { tokenIdOf } from './compare.ts';
import { type Happening, stateIn, type Task, taskIn, transition, type Upstream } from './machine.ts';
import { isShorter, lifeBetween, lifeOf, livesTold } from './plan.ts';
import { judged, noted, proved, unproved } from './proof.ts';
import { type Aside, bearerOf, type Rotation, tokenOf } from './rotation.ts';
import { putOver, restated, standsIn, type Turn, type TurnOfHeld, ways } from './turn.ts';

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
  return goOnWith(turn, rotation, fresh, old);
}

/** What came of a task: the next state, with the new token as it lies aside from then on; or why the rotation does not go on. */
type Came = { readonly happened: Happening; readonly fresh?: Aside } | CredentialReply;

/** The same with both values at hand: the new one and the old one. */
async function goOnWith(turn: Turn, rotation: Rotation, made: Aside, old: Aside): Promise<CredentialReply> {
  const waitsForPerson = isByHand(turn) && !turn.isSaidDead;
  let fresh = made;
  let state = stateIn(rotation, fresh.about.unverified === undefined);
  while (state.step !== 'revoked') {
    const came = await carryOut(turn, taskIn(state, waitsForPerson), { ...rotation, way: state.way }, fresh, old);
    if ('status' in came) return came;
    const next = transition(state, came.happened);
    if (next.step !== state.step) await turn.book.write({ ...rotation, way: next.way, step: next.step });
    state = next;
    fresh = came.fresh ?? fresh;
  }
  return finished(turn, fresh, old, state.upstream);
}

/** Does what is to be done in a state. */
async function carryOut(turn: Turn, task: Task, rotation: Rotation, fresh: Aside, old: Aside): Promise<Came> {
  switch (task) {
    case 'note-kept':
      return { happened: { kind: 'kept' } };
    case 'judge': {
      const judgement = await judged(turn, rotation, fresh, old);
      if ('status' in judgement) return judgement;
      const { way, unverified } = judgement;
      const marked = unverified === undefined ? fresh : await noted(turn, fresh, unverified);
      // What an earlier run could not verify is verified once it serves.
      return { happened: { kind: 'judged', way, isVerified: marked.about.unverified === undefined }, fresh: marked };
    }
    case 'swap': {
      const refusal = whyTooShort(turn, rotation, fresh, old) ?? (await swapped(turn, fresh, old));
      return refusal ?? { happened: { kind: 'swapped' } };
    }
    case 'stop':
      return unproved(turn);
    case 'verify': {
      const refusal = await proved(turn, rotation, fresh, old);
      return refusal ?? { happened: { kind: 'verified' }, fresh: await noted(turn, fresh, undefined) };
    }
    case 'by-hand':
      return byHand(turn);
    case 'note-revoking':
      return { happened: { kind: 'revoking' } };
    case 'revoke': {
      const end = await revoked(turn, rotation, fresh, old);
      return 'status' in end ? end : { happened: { kind: 'revoked', upstream: end.upstream } };
    }
  }
}

function whyTooShort(
  turn: Turn,
  rotation: Pick<Rotation, 'way'>,
  fresh: Aside,
  old: Aside,
): CredentialReply | undefined {
  const { entry, mayBeShorter, parts } = turn;
  // A trade cannot be taken back: it was asked about before.
  if (mayBeShorter || rotation.way === 'trade' || fresh.expiresAt === undefined) return undefined;
  const oldLife = lifeOf({ expiresAt: old.expiresAt, about: old.about, storedAt: entry.storedAt });
  const newLife = lifeBetween(fresh.about.createdAt ?? parts.clock.now(), fresh.expiresAt);
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
  if (stands === 'old' && (await putOver(turn, restated(fresh), old.secret))) return undefined;
  const why = 'another value was stored in its place meanwhile, and that one stays';
  return refused('denied', 'rotate', `${why}; take the new one back: keyhold token rotate ${turn.entry.id} --undo`);
}

/** Whether no call ends a token of this kind: its person does, on the service's page. */
export function isByHand({ manifest, entry }: Pick<Turn, 'manifest' | 'entry'>): boolean {
  const kind = kindOfToken(manifest, entry);
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
): Promise<CredentialReply | { readonly upstream: Upstream }> {
  const { parts, manifest, entry, as } = turn;
  const dead = tokenOf(entry, old);
  if (turn.isSaidDead && isByHand(turn)) {
    const isAlive = await probeLife(parts, manifest, { as: dead, token: old.secret });
    if (isAlive !== true) return { upstream: 'said' };
    return refused(
      'denied',
      'rotate',
      `${manifest.title} still takes the old token; delete it there, then run it again`,
    );
  }
  const spared = { id: await tokenIdOf(turn, fresh), among: before };
  const end = await endUpstream(parts, manifest, dead, { as, token: old.secret, spared });
  if (end.status === 'ended') return { upstream: end.how };
  const { status, message } = end.reply as Refusal;
  return { status, message: `${message}; the new token serves already; ${ways(entry)}` };
}

/** Remembers the old one as dead and shows by a probe that it is; then that the new one still works. */
async function finished(turn: Turn, fresh: Aside, old: Aside, upstream: string): Promise<CredentialReply> {
  const { parts, manifest, entry, book, actor } = turn;
  // A tool that held the old one may have stored it again: the dead one must not stand there.
  if ((await standsIn(turn, fresh, old)) === 'old') await putOver(turn, restated(fresh), old.secret);
  const dead = tokenOf(entry, old);
  const tombstone = await parts.tombstones.entomb(dead, old.secret, { reason: 'rotated with keyhold', actor });
  const isAlive = await probeLife(parts, manifest, { as: dead, token: old.secret });
  const isWatched = await parts.rechecks.keep(manifest, tombstone, old.secret, isAlive);
  const serves = (await probe(parts, manifest, bearerOf(entry, fresh))).isAlive;
  if (serves && (await standsIn(turn, fresh, old)) === 'new')
    await noteVerified(parts, parts.credentials.entries.at(entry));
  await book.close(entry.id);
  if (serves !== false) return ended(turn, upstream, isAlive, isWatched, serves);
  const what = `the old token was ended, and ${manifest.title} does not take the new one any more, either`;
  return refused('revoked', 'rotate', `${what}; make a new one: keyhold token create, or keyhold auth login`);
}

function ended(
  { parts, manifest, entry }: Turn,
  upstream: string,
  isAlive: boolean | undefined,
  isWatched: boolean,
  serves?: boolean,
): CredentialReply {
  const now = parts.credentials.entries.at(entry);
  return {
    status: 'ok',
    ids: [entry.id],
    details: [
      ['step', 'done'],
      ['upstream', upstream],
      ['probe', isAlive === undefined ? 'none' : isAlive ? 'alive' : 'dead'],
      ['serves', serves ? 'alive' : 'none'],
      ...told('unverified', now?.about?.unverified),
      ...told('expires_at', now?.expiresAt),
      ...rechecks(manifest, isWatched),
    ],
  };
}

/** A copy of what stands in a credential, to lie beside it. */
export async function asideOf(
  { parts, entry }: Pick<TurnOfHeld, 'parts' | 'entry'>,
  use: (aside: Aside) => Promise<void>,
): Promise<boolean> {
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
  try {
    const secret: Secret | undefined = held?.secret;
    if (secret) await use({ secret, about: entry.about ?? {}, expiresAt: entry.expiresAt });
    return secret !== undefined;
  } finally {
    if (held) disposeSecrets(held);
  }
}
