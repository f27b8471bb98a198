import { isSet, textIn } from '../../protocol/wire/reading.ts';
import type { LoginAnswer, LoginRequest } from '../services/login.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { placeIn } from './service-request.ts';

export const login = action(
  'login',
  ({ attributes }): LoginRequest | LoginAnswer => {
    const handle = attributes.text('login');
    if (handle !== undefined) {
      return {
        handle,
        code: attributes.secret('code'),
        replaces: attributes.text('replace'),
        isDropped: isSet(attributes, 'drop'),
      };
    }
    return {
      place: placeIn(attributes),
      service: textIn(attributes, 'service'),
      account: textIn(attributes, 'account'),
      password: attributes.secret('password'),
      tenant: textIn(attributes, 'tenant'),
    };
  },
  (asked, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) => {
    const parts = services.partsFor({}, caller);
    const { logins } = services;
    return underWay.add('handle' in asked ? logins.goOn(parts, asked) : logins.begin(parts, asked));
  },
);
