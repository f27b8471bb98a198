import { KeyholdError } from '../protocol/errors.ts';
import type { CredentialReply, CredentialRequest } from '../protocol/handler.ts';
import { disposeSecrets } from './backends/secrets.ts';
import type { Custody } from './custody.ts';

/** Credentials that one question is compared with: a host with more accounts is asked for by username. */
export const SAME_MAX = 16;

/**
 * Whether a value is one of those that are held for a target, for who found it elsewhere and wants to know whether it is
 * a copy. It says no more than a `get` would, and that only to who has the whole value: every candidate is compared, each
 * in constant time (PROTOCOL.md §3.4, ADR 0016).
 */
export async function same(custody: Custody, { target, secret, id }: CredentialRequest): Promise<CredentialReply> {
  if (!secret) throw new KeyholdError('bad_request', 'cannot compare: there is no password to compare with');
  const refusal = await custody.refusal();
  if (refusal) return refusal;
  const candidates = custody
    .findAll(target!)
    .filter((entry) => id === undefined || entry.id === id)
    .slice(-SAME_MAX);
  if (candidates.length === 0) return { status: 'not-found', message: 'no credential is held for this target' };
  const ids: string[] = [];
  for (const entry of candidates) {
    const secrets = await custody.secretsAside(entry);
    if (!secrets) continue;
    if (secrets.secret?.equals(secret)) ids.push(entry.id);
    disposeSecrets(secrets);
  }
  return {
    status: 'ok',
    // None for the audit log: a value that is no copy says nothing of what is held.
    ids: ids.length > 0 ? ids : undefined,
    details: [
      ['same', String(ids.length > 0)],
      ['compared', String(candidates.length)],
    ],
  };
}
