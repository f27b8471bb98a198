import { entryById } from '../credentials/entry-by-id.ts';
import { refresh as refreshByService } from '../services/refresh.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const refresh = action(
  'refresh',
  ({ attributes }) => attributes.text('id'),
  (
    id,
    { credentials, services, signIn, underWay }: Pick<Parts, 'credentials' | 'services' | 'signIn' | 'underWay'>,
    caller,
  ) => {
    const one = async () => {
      await credentials.lifecycle.ready();
      const entry = entryById(credentials.entries, id, 'find the token');
      // A login by OAuth is refreshed at its provider, any other token by a call of its service.
      return entry.about?.oauth ? signIn.refresh(entry) : refreshByService(services.partsFor({}, caller), entry);
    };
    return underWay.add(one());
  },
);
