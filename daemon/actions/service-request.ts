import { type Target, whyNoTarget } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { AttributesNamed } from '../../protocol/wire/attribute-names.ts';
import type { Acting } from '../services/actor.ts';

/** Where a request says that the service is. Throws `bad_request` where it does not. */
export function placeIn(attributes: AttributesNamed<'protocol' | 'host' | 'path'>): Target {
  const [protocol, host, path] = [attributes.text('protocol'), attributes.text('host'), attributes.text('path')];
  const why = whyNoTarget(protocol, host);
  if (why) throw new KeyholdError('bad_request', `cannot tell which server is meant: ${why}`);
  return { protocol: protocol!, host: host!, ...(path && { path }) };
}

/** By what the login is chosen that makes the calls; `about` is the id of the token that they are about. */
export function actingIn(attributes: AttributesNamed<'profile' | 'cwd'>, about?: string): Acting {
  return { about, profile: attributes.text('profile'), cwd: attributes.text('cwd') };
}
