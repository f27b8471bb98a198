import type { Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';
import type { Degradation } from '../backends/backend.ts';
import type { Lifecycle } from '../credentials/held/lifecycle.ts';
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
  async (_, { credentials, facts, degradations }: Pick<Parts, 'credentials' | 'facts' | 'degradations'>) => {
    await settledSoon(credentials.lifecycle);
    const { held, unlocked } = credentials.entries.counts;
    const all = [
      ...(credentials.lifecycle.backend?.degradations() ?? []),
      ...degradations(),
      ...failureOf(credentials.lifecycle),
    ];
    return {
      status: 'ok',
      details: [
        ['version', version],
        ['pid', String(process.pid)],
        ['state', credentials.lifecycle.state],
        ['backend', credentials.lifecycle.backend?.name ?? 'none'],
        ['durable', String(credentials.lifecycle.backend?.durable ?? false)],
        ['held', String(held)],
        ['unlocked', String(unlocked)],
        ...progressDetails(credentials.lifecycle),
        ...facts(),
        ...all.map((degradation): Detail => ['degraded[]', toWire(JSON.stringify(degradation))]),
      ],
    };
  },
);

/** Waits for an opening that takes no longer than a moment; one of a large vault is told as it stands. */
async function settledSoon(lifecycle: Pick<Lifecycle, 'settled'>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const deadline = new IoDeadline(OPENING_MOMENT, late.resolve);
  await Promise.race([lifecycle.settled(), late.promise]);
  deadline.clear();
}

function failureOf({ state, failure }: Lifecycle): Degradation[] {
  return failure && state === 'failed'
    ? [{ code: failure.code.replaceAll('_', '-'), what: failure.message, remedy: 'then run: keyhold restart' }]
    : [];
}
