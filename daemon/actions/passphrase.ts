import { KeyholdError } from '../../protocol/errors.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { AttributesNamed } from '../../protocol/wire/attribute-names.ts';

/** The passphrase of a backup. Throws `bad_request` where there is none. */
export function passphraseIn(attributes: AttributesNamed<'passphrase'>, verb: string): Secret {
  const passphrase = attributes.secret('passphrase');
  if (passphrase && passphrase.length > 0) return passphrase;
  throw new KeyholdError('bad_request', `cannot ${verb}: it needs a passphrase`);
}
