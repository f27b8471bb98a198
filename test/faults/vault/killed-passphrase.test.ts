import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { aHeld, text } from '../../contracts/backend.ts';
import { need } from '../../need.ts';
import { kdf, killAtEveryCall } from './kill-at-calls.ts';

describe.skipIf(!need('strace', 'apt-get install strace'))(
  'a vault whose process is killed',
  { timeout: 120_000 },
  () => {
    it('at any system call of a change of passphrase opens in the old way or in the new one', async () => {
      const kills = await killAtEveryCall(
        `const vault = await openVault({ folder, keep, kdf });
       await vault.setPassphrase(undefined, secretFromText('horse EXAMPLE'));
       await vault.setPassphrase(secretFromText('horse EXAMPLE'), undefined);`,
        async (folder) => {
          const vault = await openVault({ folder, keep: heapSecret, kdf });
          await vault.put(aHeld(), { secret: secretFromText('token-EXAMPLE') });
          await vault.dispose();
        },
        async (folder) => {
          const vault = await openVault({ folder, keep: heapSecret, kdf });
          if (vault.needsPassphrase) {
            await vault.unlock({ passphrase: secretFromText('horse EXAMPLE'), mayPrompt: false });
            expect(readdirSync(folder)).not.toContain('vault.key');
          }
          expect(await text(vault, aHeld())).toMatchObject({ secret: 'token-EXAMPLE' });
          await vault.dispose();
        },
      );
      expect(kills).toBeGreaterThan(10);
    });
  },
);
