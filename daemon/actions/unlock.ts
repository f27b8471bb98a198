import { action, done } from './action.ts';
import type { Parts } from './parts.ts';

export const unlock = action(
  'unlock',
  ({ attributes }) => ({
    passphrase: attributes.secret('passphrase'),
    mayPrompt: attributes.text('interactive') !== '0',
    sessionBus: attributes.text('session_bus') ?? '',
  }),
  async ({ passphrase, mayPrompt, sessionBus }, { custody, adoptBus }: Pick<Parts, 'custody' | 'adoptBus'>) => {
    adoptBus?.(sessionBus);
    await custody.unlock({ passphrase, mayPrompt });
    return done;
  },
);
