import { isSet, textIn } from '../../protocol/wire/reading.ts';
import { type RevokeRequest, revoke as revokeToken } from '../services/revoke.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { actingIn, placeIn } from './service-request.ts';

export const revoke = action(
  'revoke',
  ({ attributes }) => {
    const as = attributes.text('as');
    const id = attributes.text('id');
    const tokenId = textIn(attributes, 'token_id');
    const texts = { reason: textIn(attributes, 'reason'), actor: textIn(attributes, 'actor') };
    const asked: RevokeRequest =
      tokenId === undefined
        ? { as, id, ...texts, isCheck: isSet(attributes, 'check') }
        : {
            as,
            tokenId,
            place: placeIn(attributes),
            service: textIn(attributes, 'service'),
            kind: textIn(attributes, 'kind'),
          };
    return { acting: actingIn(attributes, id), asked };
  },
  ({ acting, asked }, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(revokeToken(services.partsFor(acting, caller), asked)),
);
