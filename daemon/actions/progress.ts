import type { Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Lifecycle } from '../credentials/held/lifecycle.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';

export const progress = action('progress', nothing, async (_, { credentials }: Pick<Parts, 'credentials'>) => {
  return { status: 'ok', details: [['state', credentials.lifecycle.state], ...progressDetails(credentials.lifecycle)] };
});

/** How far work is that keeps others waiting. */
export function progressDetails({ progress: now }: Pick<Lifecycle, 'progress'>): Detail[] {
  return now ? [['progress[]', toWire(JSON.stringify(now))]] : [];
}
