import type { Target } from '../../protocol/credential.ts';
import type { CredentialReply, Detail } from '../../protocol/handler.ts';
import { callOf, type Manifest } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import { entryById } from '../credentials/entry-by-id.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import { actorFor } from './actor.ts';
import { told } from './asking.ts';
import { call, disposeAll } from './call.ts';
import { type EndParts, endUpstream, lookUp, needsActor, unknownId } from './end-upstream.ts';
import { refused } from './outcomes.ts';
import { learnOwnId } from './own-id.ts';
import { kindOfToken, mayMake } from './planning.ts';
import { probeLife } from './probe.ts';
import { type RevokeHow, type RevokeLoginParts, revokeLogin, whyNoEnd } from './provider.ts';
import type { Rechecks, Watched } from './recheck.ts';
import { type KnownServices, serviceAt, serviceOf } from './which-service.ts';

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
  const id =
    (await learnOwnId(parts, manifest, { as: entry })) ?? (await lookUp(parts, manifest, entry, kind.name, as));
  if (typeof id === 'object') return id.reply;
  return id === undefined ? refused('bad-request', 'revoke', unknownId(manifest, entry)) : undefined;
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
    const ended = await endUpstream(parts, manifest, entry, { as, token: held?.secret, entry });
    if (ended.status !== 'ended') return ended.reply;
    // From here on nobody is given it any more; what the probe needs is a copy of our own.
    const tombstone = await parts.tombstones.bury(entry, { reason: reason ?? 'revoked with keyhold', actor });
    const probe = ended.isDead
      ? false
      : held?.secret && (await probeLife(parts, manifest, { as: entry, token: held.secret }));
    // What was never to rest does not come to rest now.
    const isWatched =
      held?.secret !== undefined &&
      entry.resting !== undefined &&
      (await parts.rechecks.keep(manifest, tombstone, held.secret, probe));
    return revokedReply(parts, manifest, entry.id, { how: ended.how, probe, isWatched });
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
  const { credential: id } = tombstone;
  const manifest = serviceOf(parts, tombstone);
  const secret = await parts.credentials.own.secretAside(watched.record);
  try {
    const ended = await endUpstream(parts, manifest, { ...tombstone, id }, { as, token: secret });
    if (ended.status !== 'ended') return ended.reply;
    const probe = ended.isDead ? false : secret && (await probeLife(parts, manifest, { as: tombstone, token: secret }));
    const isWatched = secret !== undefined && (await parts.rechecks.keep(manifest, tombstone, secret, probe));
    return revokedReply(parts, manifest, id, { how: ended.how, probe, isWatched });
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
  id: string,
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
