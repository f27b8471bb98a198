import type { CredentialReply } from '../../protocol/handler.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Held } from '../backends/backend.ts';

/** Why a get is given nothing of a credential that its service has said it does not take any more; undefined where it has not. */
export function endedReply({ about, protocol, host }: Held): CredentialReply | undefined {
  if (!about?.ended) return undefined;
  const { status, at } = about.ended;
  const day = new Date(at * 1_000).toISOString().slice(0, 10);
  const what = status === 'revoked' ? 'was revoked' : 'has expired';
  const url = `${fromWire(protocol)}://${fromWire(host)}`;
  const next = `store a new one: keyhold token set --for ${url}`;
  return { status, message: `the token ${what}, as its service said on ${day}; ${next}` };
}
