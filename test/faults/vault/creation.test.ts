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
    it('at any system call of its creation is there or not, and opens', async () => {
      const kills = await killAtEveryCall(
        `await openVault({ folder, keep, kdf });`,
        async () => {},
        async (folder) => {
          const vault = await openVault({ folder, keep: heapSecret, kdf });
          await vault.put(aHeld(), { secret: secretFromText('token-EXAMPLE') });
          expect(await text(vault, aHeld())).toMatchObject({ secret: 'token-EXAMPLE' });
          expect(readdirSync(folder).sort()).toEqual(['vault.db', 'vault.db-wal', 'vault.key']);
          await vault.dispose();
        },
      );
      expect(kills).toBeGreaterThan(10);
    });
  },
);
