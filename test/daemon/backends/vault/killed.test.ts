import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openVault } from '../../../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld, text } from '../../../contracts/backend.ts';
import { need } from '../../../need.ts';
import { temporaryFolder } from '../../../temporary.ts';

const kdf = { memory: 8, passes: 1, parallelism: 1 };
/** The calls by which a vault changes its folder; `write` is the key file's. */
const CALLS = ['pwrite64', 'fdatasync', 'fsync', 'ftruncate', 'link', 'unlink', 'write'];
/** More kills than any of them is made. */
const MAX = 30;

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

/** Runs a program that is killed at its nth call of each kind, for every n that it reaches. Answers how many kills. */
async function killAtEveryCall(
  program: string,
  prepare: (folder: string) => Promise<void>,
  check: (folder: string) => Promise<void>,
): Promise<number> {
  const module = (path: string) => new URL(`../../../../${path}`, import.meta.url);
  const source = `
    import { openVault } from '${module('daemon/backends/vault/vault.ts')}';
    import { heapSecret as keep, secretFromText } from '${module('protocol/secret.ts')}';
    const folder = process.argv[1];
    const kdf = ${JSON.stringify(kdf)};
    ${program}`;
  let kills = 0;
  for (const call of CALLS) {
    for (let when = 1; when <= MAX; when++) {
      const folder = temporaryFolder('killed');
      await prepare(folder.path);
      const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${when}`];
      const node = [process.execPath, '--input-type=module', '-e', source, folder.path];
      const { status, signal, stderr } = spawnSync('strace', ['-qq', '-o', '/dev/null', ...inject, ...node], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      const killed = signal === 'SIGKILL';
      if (!killed && status !== 0) throw new Error(`cannot run the vault under strace: ${stderr}`);
      await check(folder.path);
      folder.remove();
      if (!killed) break;
      kills++;
    }
  }
  return kills;
}
