import { textIn } from '../../protocol/wire/reading.ts';
import { remoteShow as showToken } from '../services/remote-show.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { actingIn } from './service-request.ts';

export const remoteShow = action(
  'remote-show',
  ({ attributes }) => ({
    acting: actingIn(attributes, attributes.text('id')),
    asked: { id: attributes.text('id'), what: textIn(attributes, 'what') },
  }),
  ({ acting, asked }, { services, underWay }: Pick<Parts, 'services' | 'underWay'>, caller) =>
    underWay.add(showToken(services.partsFor(acting, caller), asked)),
);
