import type { CredentialReply } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import { type Call, callOf, type Manifest, type Operation } from '../../protocol/services/index.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { type ActorParts, actorFor } from './actor.ts';
import { type CallParts, call, disposeAll, type Heard } from './call.ts';
import { mayHaveHappened, placeOptions, refused } from './outcomes.ts';
import { learnOwnId, type NoteParts } from './own-id.ts';
import { kindOfToken, mayMake, type Question, type Subject } from './planning.ts';
import { canProbe, type Probe, probe } from './probe.ts';
import { listRemote } from './remote.ts';

/** What it takes to have a service end a token. */
export type EndParts = CallParts & ActorParts & NoteParts;

/** What a revocation must not end: the token of that `id`; and where the id is looked up, any that is not `among` these. */
export type Spared = { readonly id?: string | undefined; readonly among?: readonly string[] | undefined };

/** A token that is to be ended, held or not: where its service is, what is known of it, and the id that it has or had here. */
export type Ending = Subject & { readonly id: string };

/** How it is ended. */
export type EndingHow = {
  /** Whose token makes the call by its id; without it the one that the service takes it from. */
  readonly as?: Entry | undefined;
  /** Its value, borrowed; undefined where that is gone. */
  readonly token: Secret | undefined;
  /** The credential in which it stands, which is not the one to ask for a call about itself. */
  readonly entry?: Entry | undefined;
  readonly spared?: Spared | undefined;
};

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
  subject: Ending,
  how: EndingHow,
): Promise<Ended> {
  const heard = await callRevoke(parts, manifest, subject, how);
  if (heard.ok) {
    disposeAll(heard.secrets);
    return { status: 'ended', how: 'revoked', isDead: false };
  }
  const isSaidDead = heard.isSelf && (heard.cause?.outcome === 'revoked' || heard.cause?.outcome === 'expired');
  if (isSaidDead) return { status: 'ended', how: 'gone', isDead: true };
  const isGone = heard.cause?.outcome === 'done';
  const isUnsure = heard.failure !== undefined && mayHaveHappened('revoke', heard.failure);
  if (!isGone && !isUnsure) return { status: 'kept', reply: heard.reply };
  const { isAlive, mayNotAsk } = await probeIfThere(parts, manifest, subject, how.token);
  if (isAlive === false) return { status: 'ended', how: isGone ? 'gone' : 'revoked', isDead: true };
  if (!isGone) return { status: 'kept', reply: heard.reply };
  // Without a call that tells, its word is taken. A call that gave no answer is no such word: the id may be wrong.
  const isUntold = isAlive === undefined && !mayNotAsk;
  if (isUntold && !canProbe(manifest, subject)) return { status: 'ended', how: 'gone', isDead: false };
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
  subject: Ending,
  { as, token, entry, spared = {} }: EndingHow,
): Promise<Revoking> {
  if (spared.id !== undefined && subject.about?.tokenId === spared.id) {
    return { ok: false, reply: refused('denied', 'revoke', oneId(manifest)), isSelf: false };
  }
  const kind = kindOfToken(manifest, subject);
  const self = callOf(manifest, 'revokeSelf', kind);
  const question = (operation: Operation, id?: string) => ({
    manifest,
    operation,
    kind: kind.name,
    target: subject,
    values: id === undefined ? {} : { id },
  });
  if (!as && self.status === 'ok' && mayMake(self.call, kind)) {
    return byItself(parts, question('revokeSelf'), subject, token);
  }
  const byId = callOf(manifest, 'revoke', kind);
  if (byId.status !== 'ok') {
    return { ok: false, reply: refused('unsupported', 'revoke', byId.why), isSelf: false };
  }
  const id =
    subject.about?.tokenId ??
    (token && (await learnOwnId(parts, manifest, { as: subject, token }))) ??
    (await lookUp(parts, manifest, subject, kind.name, as, spared));
  if (typeof id === 'object') return { ok: false, reply: id.reply, isSelf: false };
  if (id === undefined)
    return { ok: false, reply: refused('bad-request', 'revoke', unknownId(manifest, subject)), isSelf: false };
  if (id === spared.id) return { ok: false, reply: refused('denied', 'revoke', oneId(manifest)), isSelf: false };
  const actor = as ?? actorFor(parts, question('revoke', id), undefined, entry);
  if (actor && actor !== entry)
    return { ...(await call(parts, { ...question('revoke', id), as: actor })), isSelf: false };
  if (mayMake(byId.call, kind)) return byItself(parts, question('revoke', id), subject, token);
  const why = needsActor(manifest, byId.call, subject);
  return { ok: false, reply: refused('interaction-required', 'revoke', why), isSelf: true };
}

async function byItself(
  parts: CallParts,
  question: Question,
  subject: Subject,
  token: Secret | undefined,
): Promise<Revoking> {
  if (!token) {
    return {
      ok: false,
      reply: refused('not-found', question.operation, 'the token that it needs is gone'),
      isSelf: true,
    };
  }
  return { ...(await call(parts, { ...question, as: subject, token })), isSelf: true };
}

async function probeIfThere(
  parts: CallParts,
  manifest: Manifest,
  subject: Subject,
  token: Secret | undefined,
): Promise<Pick<Probe, 'isAlive' | 'mayNotAsk'>> {
  return token ? probe(parts, manifest, { as: subject, token }) : { isAlive: undefined };
}

export function needsActor(manifest: Manifest, { kinds = [] }: Call, subject: Subject): string {
  const how = `sign in: keyhold auth login ${placeOptions(manifest, subject)}`;
  return `it takes a ${kinds.join(' or ')} token of ${manifest.title}, and none is held; ${how}`;
}

export function unknownId(manifest: Manifest, subject: Ending): string {
  const { kind } = subject.about ?? {};
  const isListed = kind === undefined || kind === manifest.kinds[0]?.name;
  const list = `keyhold token list --remote ${placeOptions(manifest, subject)}${isListed ? '' : ` --kind ${kind}`}`;
  const how = `find it: ${list}; note it: keyhold token set --held ${subject.id} --id ID; then run this again`;
  return `${manifest.title} ends a token by its own id, and the id of this one is not known; ${how}`;
}

function oneId({ title }: Manifest): string {
  return `${title} gave both tokens one id, and to revoke one would end the other`;
}

/** The service's own id of a token whose label it lists once. */
export async function lookUp(
  parts: CallParts & ActorParts,
  manifest: Manifest,
  subject: Subject,
  kind: string,
  as: Entry | undefined,
  spared: Spared = {},
): Promise<string | undefined | { readonly reply: Extract<Heard, { ok: false }>['reply'] }> {
  const label = subject.about?.label;
  if (label === undefined || callOf(manifest, 'list').status !== 'ok') return undefined;
  const listed = await listRemote(parts, manifest, { place: subject, kind, as });
  if (!('remotes' in listed)) return listed.status === 'ok' ? undefined : { reply: listed };
  const isMeant = (id: string | undefined) => id !== spared.id && (spared.among?.includes(id ?? '') ?? true);
  const found = listed.remotes.filter(({ name, tokenId }) => name === label && isMeant(tokenId));
  if (found.length > 1) {
    const why = `${manifest.title} has ${found.length} tokens of that name; name one by its id: keyhold token list --remote`;
    return { reply: refused('bad-request', 'revoke', why) };
  }
  return found[0]?.tokenId;
}
