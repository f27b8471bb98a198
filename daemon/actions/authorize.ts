import { textIn, wordsIn } from '../../protocol/wire/reading.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

/** Most characters of an address, a client's id or a list of scopes. */
export const ADDRESS_MAX = 512;

export const authorize = action(
  'authorize',
  ({ target, attributes }) => ({
    target: target!,
    way: attributes.text('way'),
    service: attributes.text('service'),
    issuer: textIn(attributes, 'issuer', ADDRESS_MAX),
    clientId: textIn(attributes, 'client_id', ADDRESS_MAX),
    scopes: wordsIn(attributes, 'scopes', ADDRESS_MAX),
    redirect: textIn(attributes, 'redirect', ADDRESS_MAX),
    password: attributes.secret('password'),
  }),
  (wanted, { signIn, underWay }: Pick<Parts, 'signIn' | 'underWay'>) => underWay.add(signIn.authorize(wanted)),
);
