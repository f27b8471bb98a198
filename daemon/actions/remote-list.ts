import { textIn } from '../../protocol/wire/reading.ts';
import { remoteList as listTokens } from '../services/remote.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { actingIn, placeIn } from './service-request.ts';

export const remoteList = action(
  'remote-list',
  ({ attributes }) => ({
    acting: actingIn(attributes),
    asked: {
      place: placeIn(attributes),
      service: textIn(attributes, 'service'),
      kind: textIn(attributes, 'kind'),
      user: textIn(attributes, 'user'),
      as: attributes.text('as'),
    },
  }),
  ({ acting, asked }, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(listTokens(services.partsFor(acting, caller), asked)),
);
