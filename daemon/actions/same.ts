import { KeyholdError } from '../../protocol/errors.ts';
import { release } from '../access/release.ts';
import { disposeSecrets } from '../backends/secrets.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

/** Credentials that one question is compared with: a host with more accounts is asked for by username. */
export const SAME_MAX = 16;

/**
 * Whether a value is one of those that are held for a target, for a program that found it in another place and needs to know whether it
 * is a copy. It says no more than a `get` would, and that only to a caller that has the whole value: every candidate is compared,
 * each in constant time (PROTOCOL.md §3.4, ADR 0016).
 */
export const same = action(
  'same',
  ({ target, secret, id }) => ({ target: target!, secret, id }),
  async ({ target, secret, id }, { credentials }: Pick<Parts, 'credentials'>, caller) => {
    if (!secret) throw new KeyholdError('bad_request', 'cannot compare: there is no password to compare with');
    const refusal = await credentials.lifecycle.refusal();
    if (refusal) return refusal;
    const candidates = credentials.entries
      .findAll(target)
      .filter((entry) => id === undefined || entry.id === id)
      .slice(-SAME_MAX);
    if (candidates.length === 0) return { status: 'not-found', message: 'no credential is held for this target' };
    const ids: string[] = [];
    for (const entry of candidates) {
      const secrets = await release(credentials.values, entry, caller, 'compare');
      if (!secrets) continue;
      if (secrets.secret?.equals(secret)) ids.push(entry.id);
      disposeSecrets(secrets);
    }
    return {
      status: 'ok',
      ids,
      // A value that is no copy says nothing of what is held.
      isUnrecorded: ids.length === 0,
      details: [
        ['same', String(ids.length > 0)],
        ['compared', String(candidates.length)],
      ],
    };
  },
);
