import { toWire } from '../../protocol/text.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const backendList = action(
  'backend-list',
  nothing,
  async (_, { credentials, backends }: Pick<Parts, 'credentials' | 'backends'>) => {
    await credentials.lifecycle.settled();
    const known = await backends.survey();
    const items = known.map((one) => ({ ...one, inUse: one.name === credentials.lifecycle.backend?.name }));
    return { status: 'ok', details: items.map((item) => ['item[]', toWire(JSON.stringify(item))]) };
  },
);
