import { asFault } from '../../protocol/errors.ts';
import type { CredentialReply } from '../../protocol/handler.ts';
import { callOf } from '../../protocol/services/index.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { told } from './asking.ts';
import { type CallParts, call, disposeAll } from './call.ts';
import { givenToken } from './given.ts';
import { type KeepParts, putValue, replaceValue } from './keep.ts';
import { refused } from './outcomes.ts';
import { kindOfToken } from './planning.ts';
import { type KnownServices, serviceOf } from './which-service.ts';

/**
 * Trades a token for a fresh one, by its refresh token where the service's call takes that, else by itself. The old one stays
 * until the new one is durable. A call whose answer was lost is not repeated: it may have spent the refresh token.
 */
export async function refresh(parts: CallParts & KeepParts & KnownServices, entry: Entry): Promise<CredentialReply> {
  const manifest = serviceOf(parts, entry);
  const kind = kindOfToken(manifest, entry);
  const choice = callOf(manifest, 'refresh', kind);
  if (choice.status !== 'ok') return refused('unsupported', 'refresh', choice.why);
  const held = await release(parts.credentials.values, entry, parts.caller, 'call');
  const takesRefreshToken = Object.values(choice.call.body ?? {}).includes('{refreshToken}');
  try {
    if (takesRefreshToken && !held?.refreshToken) {
      return refused('interaction-required', 'refresh', 'no refresh token is held; sign in again: keyhold auth login');
    }
    const question = { manifest, operation: 'refresh', kind: kind.name, target: entry } as const;
    const heard = takesRefreshToken
      ? await call(parts, { ...question, secrets: { refreshToken: held!.refreshToken! } })
      : await call(parts, { ...question, as: entry });
    if (!heard.ok) return heard.reply;
    try {
      const secret = givenToken(manifest, kind.name, heard, 'refresh');
      const refreshToken = heard.secrets.get('refreshToken') ?? held?.refreshToken;
      if (!held?.secret) return refused('not-found', 'refresh', 'the token that it needs is gone');
      const fresh = await replaceValue(parts, entry, { secret, refreshToken, read: heard.read }, held.secret);
      return { status: 'ok', ids: [fresh.id], details: told('expires_at', fresh.expiresAt) };
    } catch (error) {
      const { status, message } = asFault(error);
      if (status === 'denied') return { status, message: `${message}; the refreshed token is not kept` };
      const spent = heard.secrets.get('refreshToken');
      // The refresh token that is held may be spent: the one that came for it must not be lost.
      if (spent && held?.secret) {
        const rest = { secret: held.secret, refreshToken: spent, about: {}, expiresAt: entry.expiresAt };
        await putValue(parts, entry, rest, held.secret).catch(() => {});
      }
      return { status, message: `${message}; the token until now is kept; if it is refused, run: keyhold auth login` };
    } finally {
      disposeAll(heard.secrets);
    }
  } finally {
    if (held) disposeSecrets(held);
  }
}
