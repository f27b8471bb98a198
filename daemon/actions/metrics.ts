import type { Detail } from '../../protocol/handler.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const metrics = action(
  'metrics',
  nothing,
  async (_, { credentials, meter, facts }: Pick<Parts, 'credentials' | 'meter' | 'facts'>) => {
    const { held, unlocked } = credentials.entries.counts;
    const counts: Detail[] = [
      ['held', String(held)],
      ['unlocked', String(unlocked)],
    ];
    const of = (key: string) => facts().filter(([name]) => name === key);
    return { status: 'ok', details: [...counts, ...of('connections'), ...of('started_at'), ...meter.details()] };
  },
);
