import { isSet, textIn } from '../../protocol/wire/reading.ts';
import { action } from './action.ts';
import { ADDRESS_MAX } from './authorize.ts';
import type { Parts } from './parts.ts';

export const authorized = action(
  'authorized',
  ({ attributes }) => ({
    login: attributes.text('login') ?? '',
    code: attributes.secret('code'),
    state: attributes.text('state'),
    issuer: textIn(attributes, 'issuer', ADDRESS_MAX),
    error: attributes.text('error'),
    replaces: attributes.text('replace'),
    isDropped: isSet(attributes, 'drop'),
  }),
  (back, { signIn, underWay }: Pick<Parts, 'signIn' | 'underWay'>) => underWay.add(signIn.authorized(back)),
);
