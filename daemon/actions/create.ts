import { isSet, textIn, wordsIn } from '../../protocol/wire/reading.ts';
import { create as createToken } from '../services/create.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { actingIn, placeIn } from './service-request.ts';

export const create = action(
  'create',
  ({ attributes }) => ({
    acting: actingIn(attributes),
    asked: {
      place: placeIn(attributes),
      service: textIn(attributes, 'service'),
      kind: textIn(attributes, 'kind'),
      label: textIn(attributes, 'label') ?? '',
      expiresIn: textIn(attributes, 'expires_in'),
      scopes: wordsIn(attributes, 'scopes'),
      limit: textIn(attributes, 'limit'),
      account: textIn(attributes, 'account'),
      tenant: textIn(attributes, 'tenant'),
      as: attributes.text('as'),
      isCheck: isSet(attributes, 'check'),
    },
  }),
  ({ acting, asked }, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(createToken(services.partsFor(acting, caller), asked)),
);
