import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { type Call, callOf, type Manifest, type Operation } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import { type ActorParts, actorFor } from './actor.ts';
import { told } from './asking.ts';
import { type CallParts, call, disposeAll, type Heard } from './call.ts';
import { mayHaveHappened, placeOptions, refused } from './outcomes.ts';
import { learnOwnId, type NoteParts } from './own-id.ts';
import { kindOfToken, mayMake } from './planning.ts';
import { canProbe, probe, probeLife } from './probe.ts';
import { type RevokeHow, type RevokeLoginParts, revokeLogin, whyNoEnd } from './provider.ts';
import { formerEntry, type Rechecks, type Watched } from './recheck.ts';
import { listRemote } from './remote.ts';
import { type KnownServices, serviceAt, serviceOf } from './which-service.ts';

/** What it takes to have a service end a token. */
export type EndParts = CallParts & ActorParts & NoteParts;

/** What it takes to end it here, too. */
export type RevokeParts = EndParts & {
  readonly tombstones: Pick<Tombstones, 'bury'>;
  readonly rechecks: Pick<Rechecks, 'keep' | 'of'>;
};

/** The held token that is ended, or one that is not held here, by the service's own id. `as`: the id of the credential that makes the call. */
export type RevokeRequest = { readonly as: string | undefined } & (
  | {
      readonly id: string | undefined;
      readonly reason: string | undefined;
      readonly actor: string | undefined;
      /** Only tell whether it could be done. */
      readonly isCheck: boolean;
    }
  | {
      readonly tokenId: string;
      readonly place: Target;
      readonly service: string | undefined;
      readonly kind: string | undefined;
    }
);

/**
 * Ends a token at its service; then here, by a tombstone; and proves by a probe that it is dead. What the service does
 * not confirm changes nothing here. With `token_id` in place of `id` it ends one that nobody here holds.
 */
export async function revoke(
  parts: RevokeParts &
    RevokeLoginParts &
    KnownServices & { readonly credentials: Pick<CredentialStore, 'own' | 'lifecycle'> },
  asked: RevokeRequest,
): Promise<CredentialReply> {
  await parts.credentials.lifecycle.ready();
  const as =
    asked.as === undefined ? undefined : entryById(parts.credentials.entries, asked.as, 'find the token', 'as');
  if ('id' in asked) {
    const how = { as, reason: asked.reason, actor: asked.actor };
    const again = parts.rechecks.of(asked.id);
    if (again) return revokeAgain(parts, again, as);
    const entry = entryById(parts.credentials.entries, asked.id, 'find the token');
    if (asked.isCheck) return (await whyNotRevoked(parts, entry, as)) ?? { status: 'ok', ids: [entry.id] };
    return entry.about?.oauth ? revokeLogin(parts, entry, how) : revokeHeld(parts, entry, how);
  }
  const { place, tokenId: id } = asked;
  const manifest = serviceAt(parts, place, asked.service);
  const question = {
    manifest,
    operation: 'revoke',
    kind: asked.kind,
    target: place,
    values: { id },
  } as const;
  const heard = await call(parts, { ...question, as: actorFor(parts, question, as) });
  if (!heard.ok && heard.cause?.outcome !== 'done') return heard.reply;
  if (heard.ok) disposeAll(heard.secrets);
  return { status: 'ok', ids: [], details: [['upstream', heard.ok ? 'revoked' : 'gone'], ...rechecks(manifest)] };
}

/** Why a held token could not be revoked, before anybody is asked whether it should be; undefined where it could. Nothing changes. */
async function whyNotRevoked(
  parts: EndParts & KnownServices,
  entry: Entry,
  as: Entry | undefined,
): Promise<CredentialReply | undefined> {
  if (entry.about?.oauth) return whyNoEnd(entry.about.oauth);
  const manifest = serviceOf(parts, entry);
  const kind = kindOfToken(manifest, entry);
  const self = callOf(manifest, 'revokeSelf', kind);
  if (!as && self.status === 'ok' && mayMake(self.call, kind)) return undefined;
  const byId = callOf(manifest, 'revoke', kind);
  if (byId.status !== 'ok') return refused('unsupported', 'revoke', byId.why);
  const question = { manifest, operation: 'revoke', kind: kind.name, target: entry, values: {} } as const;
  if (!as && !actorFor(parts, question, undefined, entry) && !mayMake(byId.call, kind)) {
    return refused('interaction-required', 'revoke', needsActor(manifest, byId.call, entry));
  }
  if (entry.about?.tokenId !== undefined) return undefined;
  const id = (await learnOwnId(parts, manifest, entry)) ?? (await lookUp(parts, manifest, entry, kind.name, as, {}));
  if (typeof id === 'object') return id.reply;
  return id === undefined ? refused('bad-request', 'revoke', unknownId(manifest, entry)) : undefined;
}

function needsActor(manifest: Manifest, { kinds = [] }: Call, entry: Entry): string {
  const how = `sign in: keyhold auth login ${placeOptions(manifest, entry)}`;
  return `it takes a ${kinds.join(' or ')} token of ${manifest.title}, and none is held; ${how}`;
}

function unknownId(manifest: Manifest, entry: Entry): string {
  const { kind } = entry.about ?? {};
  const isListed = kind === undefined || kind === manifest.kinds[0]?.name;
  const list = `keyhold token list --remote ${placeOptions(manifest, entry)}${isListed ? '' : ` --kind ${kind}`}`;
  const how = `find it: ${list}; note it: keyhold token set --held ${entry.id} --id ID; then run this again`;
  return `${manifest.title} ends a token by its own id, and the id of this one is not known; ${how}`;
}

/** Revokes a held token. */
export async function revokeHeld(
  parts: RevokeParts & KnownServices,
  entry: Entry,
  { as, reason, actor }: RevokeHow = {},
): Promise<CredentialReply> {
  const manifest = serviceOf(parts, entry);
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
  try {
    const ended = await endUpstream(parts, manifest, entry, as, held?.secret);
    if (ended.status !== 'ended') return ended.reply;
    // From here on nobody is given it any more; what the probe needs is a copy of our own.
    const tombstone = await parts.tombstones.bury(entry, { reason: reason ?? 'revoked with keyhold', actor });
    const probe = ended.isDead ? false : held?.secret && (await probeLife(parts, manifest, entry, held.secret));
    // What was never to rest does not come to rest now.
    const isWatched =
      held?.secret !== undefined &&
      entry.resting !== undefined &&
      (await parts.rechecks.keep(manifest, tombstone, held.secret, probe));
    return revokedReply(parts, manifest, entry, { how: ended.how, probe, isWatched });
  } finally {
    if (held) disposeSecrets(held);
  }
}

/** Revokes one anew that was revoked, and is looked at again since: it may work once more. */
async function revokeAgain(
  parts: RevokeParts & KnownServices & { readonly credentials: Pick<CredentialStore, 'own'> },
  watched: Watched,
  as: Entry | undefined,
): Promise<CredentialReply> {
  const { tombstone } = watched;
  const entry = formerEntry(tombstone);
  const manifest = serviceOf(parts, entry);
  const secret = await parts.credentials.own.secretAside(watched.record);
  try {
    const ended = await endUpstream(parts, manifest, entry, as, secret);
    if (ended.status !== 'ended') return ended.reply;
    const probe = ended.isDead ? false : secret && (await probeLife(parts, manifest, entry, secret));
    const isWatched = secret !== undefined && (await parts.rechecks.keep(manifest, tombstone, secret, probe));
    return revokedReply(parts, manifest, entry, { how: ended.how, probe, isWatched });
  } finally {
    secret?.dispose();
  }
}

type Outcome = {
  readonly how: 'revoked' | 'gone';
  /** Whether it still works; undefined where no call tells. */
  readonly probe: boolean | undefined;
  readonly isWatched: boolean;
};

function revokedReply(
  parts: Pick<EndParts, 'emit'>,
  manifest: Manifest,
  { id }: Entry,
  { how, probe, isWatched }: Outcome,
): CredentialReply {
  parts.emit({ kind: 'revoked', id, outcome: String(probe) });
  const details: Detail[] = [
    ['upstream', how],
    ['probe', probe === undefined ? 'none' : probe ? 'alive' : 'dead'],
    ...rechecks(manifest, isWatched),
  ];
  return { status: 'ok', ids: [id], details };
}

/** What a revocation must not end: the token of that `id`; and where the id is looked up, any that is not `among` these. */
export type Spared = { readonly id?: string | undefined; readonly among?: readonly string[] | undefined };

export type Ended =
  | { readonly status: 'ended'; readonly how: 'revoked' | 'gone'; readonly isDead: boolean }
  | { readonly status: 'kept'; readonly reply: CredentialReply };

/**
 * Has a service end a token. "There is no such token" is done too, once a probe shows that it was not the id that was wrong;
 * and after an answer that was lost a probe shows which it was.
 */
export async function endUpstream(
  parts: EndParts,
  manifest: Manifest,
  entry: Entry,
  as: Entry | undefined,
  token: Secret | undefined,
  spared: Spared = {},
): Promise<Ended> {
  const heard = await callRevoke(parts, manifest, entry, as, token, spared);
  if (heard.ok) {
    disposeAll(heard.secrets);
    return { status: 'ended', how: 'revoked', isDead: false };
  }
  const isSaidDead = heard.isSelf && (heard.cause?.outcome === 'revoked' || heard.cause?.outcome === 'expired');
  if (isSaidDead) return { status: 'ended', how: 'gone', isDead: true };
  const isGone = heard.cause?.outcome === 'done';
  const isUnsure = heard.failure !== undefined && mayHaveHappened('revoke', heard.failure);
  if (!isGone && !isUnsure) return { status: 'kept', reply: heard.reply };
  const { isAlive, mayNotAsk } = await probe(parts, manifest, entry, token);
  if (isAlive === false) return { status: 'ended', how: isGone ? 'gone' : 'revoked', isDead: true };
  if (!isGone) return { status: 'kept', reply: heard.reply };
  // Without a call that tells, its word is taken. A call that gave no answer is no such word: the id may be wrong.
  const isUntold = isAlive === undefined && !mayNotAsk;
  if (isUntold && !canProbe(manifest, entry)) return { status: 'ended', how: 'gone', isDead: false };
  if (isUntold) {
    const why = `${manifest.title} knows no token by that id, and gave no answer that shows whether this one still works`;
    return { status: 'kept', reply: refused('unavailable', 'revoke', `${why}; it is kept; try again later`) };
  }
  return {
    status: 'kept',
    reply: refused(
      'not-found',
      'revoke',
      `${manifest.title} knows no token by that id, and this one still works; it is kept. Look with keyhold token list --remote`,
    ),
  };
}

type Revoking = Heard & { readonly isSelf: boolean };

/** By the token itself where the service has a call for that, else by its id. */
async function callRevoke(
  parts: EndParts,
  manifest: Manifest,
  entry: Entry,
  as: Entry | undefined,
  token: Secret | undefined,
  spared: Spared,
): Promise<Revoking> {
  if (spared.id !== undefined && entry.about?.tokenId === spared.id) {
    return { ok: false, reply: refused('denied', 'revoke', oneId(manifest)), isSelf: false };
  }
  const kind = kindOfToken(manifest, entry);
  const self = callOf(manifest, 'revokeSelf', kind);
  const question = (operation: Operation, id?: string) => ({
    manifest,
    operation,
    kind: kind.name,
    target: entry,
    values: id === undefined ? {} : { id },
  });
  if (!as && self.status === 'ok' && mayMake(self.call, kind)) {
    return { ...(await call(parts, { ...question('revokeSelf'), as: entry, token })), isSelf: true };
  }
  const byId = callOf(manifest, 'revoke', kind);
  if (byId.status !== 'ok') {
    return { ok: false, reply: refused('unsupported', 'revoke', byId.why), isSelf: false };
  }
  const id =
    entry.about?.tokenId ??
    (await learnOwnId(parts, manifest, entry, token)) ??
    (await lookUp(parts, manifest, entry, kind.name, as, spared));
  if (typeof id === 'object') return { ok: false, reply: id.reply, isSelf: false };
  if (id === undefined)
    return { ok: false, reply: refused('bad-request', 'revoke', unknownId(manifest, entry)), isSelf: false };
  if (id === spared.id) return { ok: false, reply: refused('denied', 'revoke', oneId(manifest)), isSelf: false };
  const actor = as ?? actorFor(parts, question('revoke', id), undefined, entry) ?? entry;
  const isSelf = actor === entry;
  if (isSelf && !mayMake(byId.call, kind)) {
    return {
      ok: false,
      reply: refused('interaction-required', 'revoke', needsActor(manifest, byId.call, entry)),
      isSelf,
    };
  }
  return {
    ...(await call(parts, { ...question('revoke', id), as: actor, token: isSelf ? token : undefined })),
    isSelf,
  };
}

function oneId({ title }: Manifest): string {
  return `${title} gave both tokens one id, and to revoke one would end the other`;
}

/** The service's own id of a token whose label it lists once. */
async function lookUp(
  parts: CallParts & ActorParts,
  manifest: Manifest,
  entry: Entry,
  kind: string,
  as: Entry | undefined,
  spared: Spared,
): Promise<string | undefined | { readonly reply: Extract<Heard, { ok: false }>['reply'] }> {
  const label = entry.about?.label;
  if (label === undefined || callOf(manifest, 'list').status !== 'ok') return undefined;
  const listed = await listRemote(parts, manifest, { place: entry, kind, as });
  if (!('remotes' in listed)) return listed.status === 'ok' ? undefined : { reply: listed };
  const isMeant = (id: string | undefined) => id !== spared.id && (spared.among?.includes(id ?? '') ?? true);
  const found = listed.remotes.filter(({ name, tokenId }) => name === label && isMeant(tokenId));
  if (found.length > 1) {
    const why = `${manifest.title} has ${found.length} tokens of that name; name one by its id: keyhold token list --remote`;
    return { reply: refused('bad-request', 'revoke', why) };
  }
  return found[0]?.tokenId;
}

/** When the service may have forgotten a revocation, in words that a person can act on; and whether the agent looks then. */
export function rechecks({ life, title }: Manifest, isWatched = false): Detail[] {
  if (!life?.recheck) return [];
  const note = life.note ?? `${title} may forget a revocation`;
  return [
    ...life.recheck.flatMap((after) => told('recheck[]', after)),
    ...told('note', note),
    ...told('watched', isWatched ? '1' : undefined),
  ];
}
