import type { Grant } from '../../protocol/grant.ts';
import type { CredentialReply, Detail, Refusal } from '../../protocol/handler.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Read } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import type { Secrets } from '../backends/backend.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Tombstones } from '../history/tombstones/tombstones.ts';
import type { OAuthPlan, OAuthReply } from '../oauth/oauth-plan.ts';
import { turnOf } from '../oauth/refresher.ts';
import type { SecretName } from '../upstream/plan.ts';
import type { CallParts } from './call.ts';
import { refused } from './outcomes.ts';
import { endedIn, sightOf } from './verdicts.ts';

/** What a question to the provider of a login needs. */
export type ProviderParts = Pick<CallParts, 'upstream' | 'route' | 'verdicts' | 'emit' | 'caller'> & {
  readonly credentials: Pick<CredentialStore, 'values'>;
  readonly clock: Pick<Clock, 'now'>;
};

/** What it takes to end a login there, and here. */
export type RevokeLoginParts = ProviderParts & {
  readonly credentials: Pick<CredentialStore, 'entries' | 'queue'>;
  readonly tombstones: Pick<Tombstones, 'bury'>;
};

/** Whose token makes the call that revokes another, why, and who is said to have done it. */
export type RevokeHow = {
  readonly as?: Entry | undefined;
  readonly reason?: string | undefined;
  readonly actor?: string | undefined;
};

/** What a login's provider says of a token. */
export type Introspected =
  | { readonly ok: true; readonly isActive: boolean; readonly read: Read }
  | { readonly ok: false; readonly reply: Refusal };

/** Asks the provider of a login whether it takes the access token, and what it knows of it (RFC 7662). */
export async function introspectLogin(parts: ProviderParts, entry: Entry): Promise<Introspected> {
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
  try {
    if (!held?.secret) {
      const why = 'the access token is gone; get a new one: keyhold token refresh';
      return { ok: false, reply: refused('expired', 'introspect', why) };
    }
    const seen = sightOf(entry);
    const heard = await introspect(parts, entry.about!.oauth!, held.secret, passwordOf(entry, held));
    if (heard.ok) {
      const ended = endedIn({ ...heard.read, active: heard.isActive }, parts.clock.now());
      await parts.verdicts.note(entry, seen, ended);
    }
    return heard;
  } finally {
    if (held) disposeSecrets(held);
  }
}

/**
 * Ends a login at its provider (RFC 7009): the refresh token first, by which others would be had, then the access token. Then
 * a tombstone stands here, and introspection proves it. What the provider does not confirm changes nothing here. It waits for a
 * refresh that is under way, so that it is the newest token that ends.
 */
export function revokeLogin(parts: RevokeLoginParts, asked: Entry, how: RevokeHow): Promise<CredentialReply> {
  return parts.credentials.queue.run(turnOf(asked), async () => {
    const entry = parts.credentials.entries.at(asked);
    if (entry?.id !== asked.id || !entry.about?.oauth) {
      return refused('not-found', 'revoke', 'another token has taken its place meanwhile');
    }
    const held = await release(parts.credentials.values, entry, parts.caller, 'call');
    if (!held) return refused('not-found', 'revoke', 'its tokens are gone');
    try {
      return await endLogin(parts, entry, entry.about.oauth, held, how);
    } finally {
      disposeSecrets(held);
    }
  });
}

/** Why a login cannot be ended at its provider; undefined where it can. */
export function whyNoEnd({ revokeUrl }: Grant): Refusal | undefined {
  if (revokeUrl !== undefined) return undefined;
  const why = 'its provider has no call that ends a login; end it on its page, then: keyhold token remove';
  return refused('unsupported', 'revoke', why);
}

async function endLogin(
  parts: RevokeLoginParts,
  entry: Entry,
  grant: Grant,
  held: Secrets,
  { reason, actor }: RevokeHow,
): Promise<CredentialReply> {
  const refusal = whyNoEnd(grant);
  if (refusal) return refusal;
  const password = passwordOf(entry, held);
  // A client's own secret is no token, and stays what it is.
  const refreshToken = password ? undefined : held.refreshToken;
  const all: Readonly<Partial<Record<SecretName, Secret>>>[] = [
    ...(refreshToken ? [{ refreshToken }] : []),
    ...(held.secret ? [{ token: held.secret, ...(password && { password }) }] : []),
  ];
  if (all.length === 0) {
    return refused('unsupported', 'revoke', 'no token of it is left that could be ended; run: keyhold token remove');
  }
  for (const [at, secrets] of all.entries()) {
    const reply = await ask(parts, grant, 'revoke', secrets);
    const refusal = 'oauth' in reply ? undefined : refusalOf('revoke', reply);
    // The login itself is over once its refresh token is; a provider need not have an end for access tokens.
    if (refusal && at === 0) return refusal;
  }
  await parts.tombstones.bury(entry, { reason: reason ?? 'revoked with keyhold', actor });
  const probe = await probeOf(parts, grant, [held.secret, refreshToken], password);
  parts.emit({ kind: 'revoked', id: entry.id, outcome: probe });
  const details: Detail[] = [
    ['upstream', 'revoked'],
    ['probe', probe],
  ];
  return { status: 'ok', ids: [entry.id], details };
}

/** `alive` where the provider still takes one of the tokens, `none` where it does not say. */
async function probeOf(
  parts: ProviderParts,
  grant: Grant,
  tokens: readonly (Secret | undefined)[],
  password: Secret | undefined,
): Promise<'dead' | 'alive' | 'none'> {
  let proof: 'dead' | 'none' = 'none';
  for (const token of tokens) {
    if (!token) continue;
    const heard = await introspect(parts, grant, token, password);
    if (heard.ok && heard.isActive) return 'alive';
    if (heard.ok) proof = 'dead';
  }
  return proof;
}

async function introspect(
  parts: ProviderParts,
  grant: Grant,
  token: Secret,
  password: Secret | undefined,
): Promise<Introspected> {
  if (grant.introspectUrl === undefined) {
    const why = 'its provider has no call that tells about a token';
    return { ok: false, reply: refused('unsupported', 'introspect', why) };
  }
  const reply = await ask(parts, grant, 'introspect', { token, ...(password && { password }) });
  if (!('oauth' in reply)) return { ok: false, reply: refusalOf('introspect', reply) };
  const { active = false, expiresAt, username, subject, scopes } = reply.oauth;
  const told = { active, expiresAt, user: username ?? subject, scopes };
  const read = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)) as Read;
  return { ok: true, isActive: active, read };
}

async function ask(
  parts: Pick<ProviderParts, 'upstream' | 'route' | 'emit'>,
  grant: Grant,
  act: OAuthPlan['act'],
  secrets: Readonly<Partial<Record<SecretName, Secret>>>,
): Promise<OAuthReply> {
  const { issuer, clientId, tokenUrl, revokeUrl, introspectUrl } = grant;
  const plan: OAuthPlan = { ...parts.route(), act, issuer, clientId, tokenUrl, revokeUrl, introspectUrl };
  const { reply, secrets: brought } = await parts.upstream.run<OAuthReply>('oauth', plan, secrets);
  for (const secret of brought.values()) secret.dispose();
  const outcome = 'oauth' in reply ? 'ok' : 'error' in reply ? reply.error : reply.failure;
  parts.emit({ kind: 'upstream', service: issuer, operation: act, outcome });
  return reply;
}

function refusalOf(operation: 'revoke' | 'introspect', reply: Exclude<OAuthReply, { oauth: unknown }>): Refusal {
  if ('failure' in reply) {
    const code = reply.why ? `, ${reply.why}` : '';
    const why = `the provider gave no answer that could be used (${reply.failure}${code}); nothing was lost here; try again later`;
    return refused('unavailable', operation, why);
  }
  const { error, status } = reply;
  if (error === 'unsupported_token_type') {
    return refused('unsupported', operation, 'its provider has no end for tokens of this kind; end it on its page');
  }
  const isForClient = status === 401 || status === 403 || error === 'invalid_client';
  return isForClient
    ? refused('denied', operation, 'the provider does not let this program ask that; nothing was changed')
    : refused('unavailable', operation, `the provider refused it (${status}); nothing was lost here; try again later`);
}

/** A client's own secret, where a login is by that. */
function passwordOf({ about }: Entry, { refreshToken }: Secrets): Secret | undefined {
  return about?.oauth?.by === 'client-secret' ? refreshToken : undefined;
}
