import { action, done } from './action.ts';
import type { Parts } from './parts.ts';

export const unlock = action(
  'unlock',
  ({ attributes }) => ({
    passphrase: attributes.secret('passphrase'),
    mayPrompt: attributes.text('interactive') !== '0',
    sessionBus: attributes.text('session_bus') ?? '',
  }),
  async ({ passphrase, mayPrompt, sessionBus }, { credentials, adoptBus }: Pick<Parts, 'credentials' | 'adoptBus'>) => {
    adoptBus?.(sessionBus);
    await credentials.lifecycle.unlock({ passphrase, mayPrompt });
    return done;
  },
);
