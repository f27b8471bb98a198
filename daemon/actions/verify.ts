import { textIn } from '../../protocol/wire/reading.ts';
import { verify as verifyToken } from '../services/verify.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { placeIn } from './service-request.ts';

export const verify = action(
  'verify',
  ({ attributes }) => ({
    place: placeIn(attributes),
    service: textIn(attributes, 'service'),
    kind: textIn(attributes, 'kind'),
    secret: attributes.secret('password'),
  }),
  (asked, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(verifyToken(services.partsFor({}, caller), asked)),
);
