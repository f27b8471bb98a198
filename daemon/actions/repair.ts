import { NAMED_MAX, named } from '../backends/named.ts';
import { action } from './action.ts';
import type { Parts } from './parts.ts';

export const repair = action(
  'repair',
  ({ attributes }) => attributes.secret('passphrase'),
  async (passphrase, { credentials, recovery }: Pick<Parts, 'credentials' | 'recovery'>) => {
    await credentials.lifecycle.settled();
    const { removed, left, leftovers = [], fault } = await recovery.settle(passphrase);
    if (fault) return { status: fault.status, message: fault.message };
    return {
      status: 'ok',
      details: [
        ['removed', String(removed)],
        ['left', String(left)],
        ...named('item[]', leftovers.slice(0, NAMED_MAX)),
      ],
    };
  },
);
