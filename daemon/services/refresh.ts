import { asFault } from '../../protocol/errors.ts';
import { callOf } from '../../protocol/services/index.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import { type ServiceAct, told } from './asking.ts';
import { disposeAll } from './desk.ts';
import { replaceValue } from './keep.ts';
import { refused } from './outcomes.ts';

/**
 * Trades a token for a fresh one, by its refresh token where the service's call takes that, else by itself. The old one stays
 * until the new one is durable. A call whose answer was lost is not repeated: it may have spent the refresh token.
 */
export const refresh: ServiceAct = async (desk, { attributes }) => {
  await desk.parts.custody.ready();
  const entry = desk.entryOf(attributes);
  const manifest = desk.manifestOfEntry(entry);
  const kind = desk.kindOf(manifest, entry);
  const choice = callOf(manifest, 'refresh', kind);
  if (choice.status !== 'ok') return refused('unsupported', 'refresh', choice.why);
  const held = await desk.parts.custody.secretsOf(entry);
  const takesRefreshToken = Object.values(choice.call.body ?? {}).includes('{refreshToken}');
  try {
    if (takesRefreshToken && !held?.refreshToken) {
      return refused('interaction-required', 'refresh', 'no refresh token is held; sign in again: keyhold auth login');
    }
    const question = { manifest, operation: 'refresh', kind: kind.name, target: entry } as const;
    const heard = takesRefreshToken
      ? await desk.call({ ...question, secrets: { refreshToken: held!.refreshToken! } })
      : await desk.call({ ...question, as: entry });
    if (!heard.ok) return heard.reply;
    const secret = heard.secrets.get('value');
    try {
      if (!secret) return refused('unavailable', 'refresh', `${manifest.title} answered no token`);
      const refreshToken = heard.secrets.get('refreshToken') ?? held?.refreshToken;
      const fresh = await replaceValue(desk, entry, { secret, refreshToken, read: heard.read });
      return { status: 'ok', ids: [fresh.id], details: told('expires_at', fresh.expiresAt) };
    } catch (error) {
      const { status, message } = asFault(error);
      return { status, message: `${message}; sign in again: keyhold auth login` };
    } finally {
      disposeAll(heard.secrets);
    }
  } finally {
    if (held) disposeSecrets(held);
  }
};
