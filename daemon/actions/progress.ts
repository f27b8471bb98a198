import type { Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Custody } from '../credentials/custody.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const progress = action('progress', nothing, async (_, { custody }: Pick<Parts, 'custody'>) => {
  return { status: 'ok', details: [['state', custody.state], ...progressDetails(custody)] };
});

/** How far work is that keeps others waiting. */
export function progressDetails({ progress: now }: Custody): Detail[] {
  return now ? [['progress[]', toWire(JSON.stringify(now))]] : [];
}
