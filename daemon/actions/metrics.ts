import type { Detail } from '../../protocol/handler.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const metrics = action(
  'metrics',
  nothing,
  async (_, { custody, meter, facts }: Pick<Parts, 'custody' | 'meter' | 'facts'>) => {
    const { held, unlocked } = custody.counts;
    const counts: Detail[] = [
      ['held', String(held)],
      ['unlocked', String(unlocked)],
    ];
    const of = (key: string) => facts().filter(([name]) => name === key);
    return { status: 'ok', details: [...counts, ...of('connections'), ...of('started_at'), ...meter.details()] };
  },
);
