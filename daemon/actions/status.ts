import type { Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Degradation } from '../backends/backend.ts';
import type { Custody } from '../credentials/custody.ts';
import { IoDeadline } from '../io-deadline.ts';
import { version } from '../version.ts';
import { action, nothing } from './action.ts';
import type { Parts } from './parts.ts';
import { progressDetails } from './progress.ts';

/** Milliseconds that it waits for a backend that is being opened. */
const OPENING_MOMENT = 1_000;

export const status = action(
  'status',
  nothing,
  async (_, { custody, facts, degradations }: Pick<Parts, 'custody' | 'facts' | 'degradations'>) => {
    await settledSoon(custody);
    const { held, unlocked } = custody.counts;
    const all = [...(custody.backend?.degradations() ?? []), ...degradations(), ...failureOf(custody)];
    return {
      status: 'ok',
      details: [
        ['version', version],
        ['pid', String(process.pid)],
        ['state', custody.state],
        ['backend', custody.backend?.name ?? 'none'],
        ['durable', String(custody.backend?.durable ?? false)],
        ['held', String(held)],
        ['unlocked', String(unlocked)],
        ...progressDetails(custody),
        ...facts(),
        ...all.map((degradation): Detail => ['degraded[]', toWire(JSON.stringify(degradation))]),
      ],
    };
  },
);

/** Waits for an opening that takes no longer than a moment; one of a large vault is told as it stands. */
async function settledSoon(custody: Custody): Promise<void> {
  const late = Promise.withResolvers<void>();
  const deadline = new IoDeadline(OPENING_MOMENT, late.resolve);
  await Promise.race([custody.settled(), late.promise]);
  deadline.clear();
}

function failureOf({ state, failure }: Custody): Degradation[] {
  return failure && state === 'failed'
    ? [{ code: failure.code.replaceAll('_', '-'), what: failure.message, remedy: 'then run: keyhold restart' }]
    : [];
}
