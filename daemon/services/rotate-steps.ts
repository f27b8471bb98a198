import type { AboutChange } from '../../protocol/about.ts';
import type { CredentialReply, Detail, Refusal } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { callOf, type Manifest } from '../../protocol/services/index.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Entry } from '../unlocked/set.ts';
import { told } from './asking.ts';
import type { Desk } from './desk.ts';
import { putValue } from './keep.ts';
import { refused } from './outcomes.ts';
import { mayMake } from './planning.ts';
import { endUpstream, rechecks } from './revoke.ts';
import { isShorter, lifeBetween, lifeOf, livesTold } from './rotate-plan.ts';
import type { Aside, Rotation, RotationBook, Step } from './rotation.ts';

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
  const reach = async (next: Step) => {
    step = next;
    await book.write({ ...rotation, step });
  };
  if (step === 'asked') await reach('made');
  if (step === 'made') {
    // After a trade there is no other token that could serve.
    const refusal = rotation.way === 'trade' ? undefined : await probed(turn, fresh);
    if (refusal) return refusal;
    await reach('probed');
  }
  if (step === 'probed') {
    const refusal = whyTooShort(turn, rotation, fresh, old) ?? (await swapped(turn, fresh, old));
    if (refusal) return refusal;
    await reach(rotation.way === 'trade' ? 'revoked' : 'swapped');
  }
  if (step === 'swapped' && isByHand(turn) && !turn.isSaidDead) return byHand(turn);
  if (step === 'swapped') await reach('revoking');
  let upstream = rotation.way === 'trade' ? 'traded' : 'gone';
  if (step === 'revoking') {
    const end = await revoked(turn, old);
    if ('status' in end) return end;
    upstream = end.upstream;
    await reach('revoked');
  }
  return finished(turn, fresh, old, upstream);
}

/** The new one works, as far as a call tells. One that does not is taken back, and the old one stays. */
async function probed(turn: Turn, fresh: Aside): Promise<CredentialReply | undefined> {
  const { desk, manifest, entry, book } = turn;
  const ghost = ghostOf(entry, fresh);
  const isAlive = await desk.isAlive(manifest, ghost, fresh.secret);
  if (isAlive) return undefined;
  if (isAlive === undefined) return desk.canProbe(manifest, ghost) ? unsure(turn) : undefined;
  const end = await endUpstream(desk, manifest, ghost, turn.as, fresh.secret);
  await book.close(entry.id);
  const rest = end.status === 'ended' ? '' : '; delete the new one there';
  return refused('denied', 'rotate', `${manifest.title} does not take the new token; the old one stays${rest}`);
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

function whyTooShort(turn: Turn, rotation: Rotation, fresh: Aside, old: Aside): CredentialReply | undefined {
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

/** The service has ended the old one; or why it has not. */
async function revoked(turn: Turn, old: Aside): Promise<CredentialReply | { readonly upstream: string }> {
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
  const end = await endUpstream(desk, manifest, ghost, as, old.secret);
  if (end.status === 'ended') return { upstream: end.how };
  const { status, message } = end.reply as Refusal;
  return { status, message: `${message}; the new token serves already; ${ways(entry)}` };
}

/** Remembers the old one as dead and shows by a probe that it is. */
async function finished(turn: Turn, fresh: Aside, old: Aside, upstream: string): Promise<CredentialReply> {
  const { desk, manifest, entry, book, actor } = turn;
  // A tool that held the old one may have stored it again: the dead one must not stand there.
  if ((await standsIn(turn, fresh, old)) === 'old') await putValue(desk, entry, restated(fresh));
  const ghost = ghostOf(entry, old);
  const tombstone = await desk.parts.tombstones.entomb(ghost, old.secret, { reason: 'rotated with keyhold', actor });
  const isAlive = await desk.isAlive(manifest, ghost, old.secret);
  const isWatched = await desk.rechecks.keep(manifest, tombstone, old.secret, isAlive);
  await book.close(entry.id);
  return ended(turn, upstream, isAlive, isWatched);
}

function ended(
  { desk, manifest, entry }: Turn,
  upstream: string,
  isAlive: boolean | undefined,
  isWatched: boolean,
): CredentialReply {
  return {
    status: 'ok',
    ids: [entry.id],
    details: [
      ['step', 'done'],
      ['upstream', upstream],
      ['probe', isAlive === undefined ? 'none' : isAlive ? 'alive' : 'dead'],
      ...told('expires_at', desk.parts.custody.at(entry)?.expiresAt),
      ...rechecks(manifest, isWatched),
    ],
  };
}

/** The credential as it is or was with a value that stands aside: what calls about that value are made for. */
export function ghostOf(entry: Entry, { about, expiresAt }: Pick<Aside, 'about' | 'expiresAt'>): Entry {
  const { service, kind, account, tenant } = entry.about ?? {};
  return { ...entry, about: { service, kind, account, tenant, ...about }, expiresAt };
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
