import { describe } from 'vitest';
import { testBackend } from '../../contracts/backend.ts';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { keyringIn } from './harness.ts';
import { needKeyring } from './need.ts';

describe.skipIf(!needKeyring())('with a real keyring', () => {
  testBackend(
    'keyring',
    async () => {
      const session = await startKeyringSession();
      const opened = [await keyringIn(session)];
      return {
        backend: opened[0]!,
        reopen: async () => {
          opened.push(await keyringIn(session));
          return opened[1]!;
        },
        async close() {
          for (const backend of opened) await backend.dispose();
          await session[Symbol.asyncDispose]();
        },
      };
    },
    // gnome-keyring writes its whole file at each change: a thousand would take it minutes.
    { items: 100 },
  );
});
