import { toWire } from '../../protocol/text.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const backendList = action(
  'backend-list',
  nothing,
  async (_, { custody, backends }: Pick<Parts, 'custody' | 'backends'>) => {
    await custody.settled();
    const known = await backends.survey();
    const items = known.map((one) => ({ ...one, inUse: one.name === custody.backend?.name }));
    return { status: 'ok', details: items.map((item) => ['item[]', toWire(JSON.stringify(item))]) };
  },
);
