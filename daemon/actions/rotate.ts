import { isSet, textIn, wordsIn } from '../../protocol/wire/reading.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { actingIn } from './service-request.ts';

export const rotate = action(
  'rotate',
  ({ attributes }) => ({
    acting: actingIn(attributes, attributes.text('id')),
    asked: {
      id: attributes.text('id') ?? '',
      as: attributes.text('as'),
      expiresIn: textIn(attributes, 'expires_in'),
      scopes: wordsIn(attributes, 'scopes'),
      limit: textIn(attributes, 'limit'),
      pasted: attributes.secret('password'),
      mayBeShorter: isSet(attributes, 'shorter'),
      isSaidDead: isSet(attributes, 'deleted'),
      actor: textIn(attributes, 'actor'),
      isCheck: isSet(attributes, 'check'),
      isUndone: isSet(attributes, 'undo'),
    },
  }),
  ({ acting, asked }, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(services.rotations.answer(asked, services.partsFor(acting, caller))),
);
