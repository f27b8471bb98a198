import { KeyholdError } from '../../protocol/errors.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { withBytes } from '../backends/secrets.ts';
import { whyUnfitForm } from '../upstream/incoming.ts';
import type { Heard } from './call.ts';

/**
 * The token of an answer, once it is known that it can be kept: whole, without control characters, and in the form that the
 * manifest gives its kind. It is borrowed from `heard`. Throws `bad_reply`, which says what came; nothing has been replaced then,
 * and the caller sees to what the service has made.
 *
 * @param verb what was asked for, for the message: `create`, `refresh`
 */
export function givenToken(
  manifest: Manifest,
  kind: string | undefined,
  { secrets, unfit }: Pick<Extract<Heard, { ok: true }>, 'secrets' | 'unfit'>,
  verb: string,
): Secret {
  const [bad] = unfit ?? [];
  if (bad) {
    const name = bad[0] === 'refreshToken' ? 'refresh token' : 'token';
    throw unkeepable(manifest, verb, `a ${name} that cannot be kept: ${bad[1]}`);
  }
  const secret = secrets.get('value');
  if (!secret) throw unkeepable(manifest, verb, 'no value');
  const why = withBytes(secret, (bytes) => whyUnfitForm(manifest, bytes, kind));
  if (why !== undefined) throw unkeepable(manifest, verb, `a token that cannot be kept: ${why}`);
  return secret;
}

function unkeepable({ title }: Manifest, verb: string, what: string): KeyholdError {
  return new KeyholdError('bad_reply', `cannot ${verb}: ${title} answered ${what}`);
}
