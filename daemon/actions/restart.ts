import { action } from './action.ts';
import type { Parts } from './parts.ts';
import { endingReply } from './stop.ts';

export const restart = action(
  'restart',
  ({ attributes }) => ({ sessionBus: attributes.text('session_bus') ?? '' }),
  async ({ sessionBus }, { restart: again, outFor, adoptBus }: Pick<Parts, 'restart' | 'outFor' | 'adoptBus'>) => {
    adoptBus?.(sessionBus);
    const answer = endingReply(outFor());
    await again();
    return answer;
  },
);
