import { documentLine } from '../../protocol/document-line.ts';
import type { Detail } from '../../protocol/handler.ts';
import { placeOf } from '../backends/backup-pages.ts';
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
        ...leftovers.map((held): Detail => ['item[]', documentLine(placeOf(held))]),
      ],
    };
  },
);
