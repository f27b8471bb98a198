import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Vault } from '../../../../daemon/backends/vault/file-vault.ts';
import { openVault } from '../../../../daemon/backends/vault/vault.ts';
import type { KeySource } from '../../../../daemon/backends/vault/vault-key.ts';
import { heapSecret, type Secret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld, text } from '../../../contracts/backend.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { temporaryFolder } from '../../../temporary.ts';

const HOUR = 3_600;
const kdf = { memory: 8, passes: 1, parallelism: 1 };

function aFolder(): string {
  const { path, remove } = temporaryFolder('former-key');
  onTestFinished(remove);
  return path;
}

/** A key source in memory, as a keyring would be one. */
function aKeySource(): KeySource {
  let kept: Uint8Array | undefined;
  return {
    read: async () => kept && heapSecret(Uint8Array.from(kept)),
    write: async (key: Secret) => {
      kept = new Uint8Array(key.length);
      key.copyTo(kept, 0);
    },
  };
}

async function openIn(folder: string, clock = new FakeClock(), keySource?: KeySource): Promise<Vault> {
  const vault = await openVault({ folder, keep: heapSecret, kdf, clock, keySource, keyPlace: 'key-file' });
  onTestFinished(() => vault.dispose());
  return vault;
}

async function aVault(folder: string, clock?: FakeClock, keySource?: KeySource): Promise<Vault> {
  const vault = await openIn(folder, clock, keySource);
  await vault.put(aHeld(), { secret: secretFromText('token-EXAMPLE') });
  return vault;
}

const phrase = (words: string) => secretFromText(`${words} EXAMPLE`);
const value = async (vault: Vault) => (await text(vault, aHeld()))?.secret;

test('a passphrase that its owner does not know is undone, also by the next agent, and the vault opens by its key file', async () => {
  const folder = aFolder();
  const vault = await aVault(folder);
  await vault.setPassphrase(undefined, phrase('unknown'));
  expect(vault.degradations()).toMatchObject([
    { code: 'key-change', remedy: expect.stringContaining('keyhold backend undo') },
  ]);
  await vault.dispose();
  const next = await openIn(folder);
  await expect(next.unlock({ mayPrompt: false })).rejects.toMatchObject({ code: 'interaction_required' });
  expect(await next.undoPassphrase(false)).toBe(true);
  await next.unlock({ mayPrompt: false });
  expect(await value(next)).toBe('token-EXAMPLE');
  expect(next.needsPassphrase).toBe(false);
  expect(await next.undoPassphrase(false)).toBe(false);
  expect(readdirSync(folder)).not.toContain('vault.undo');
});

test('a key that was moved into a keyring that is lost is undone in the same way', async () => {
  const folder = aFolder();
  const vault = await aVault(folder, undefined, aKeySource());
  await vault.setPassphrase(undefined, undefined, 'key-source');
  await vault.dispose();
  const next = await openIn(folder, undefined, aKeySource());
  await expect(next.list()).rejects.toMatchObject({ code: 'backend_locked' });
  expect(await next.undoPassphrase(false)).toBe(true);
  await next.unlock({ mayPrompt: false });
  expect(await value(next)).toBe('token-EXAMPLE');
});

test('two changes within the day are undone to where the first began', async () => {
  const vault = await aVault(aFolder());
  await vault.setPassphrase(undefined, phrase('one'));
  await vault.setPassphrase(phrase('one'), phrase('two'));
  expect(await vault.undoPassphrase(false)).toBe(true);
  vault.lock();
  await vault.unlock({ mayPrompt: false });
  expect(await value(vault)).toBe('token-EXAMPLE');
});

test('a day later by evidence, and not by the wall clock, the change is final and the key file is gone', async () => {
  const folder = aFolder();
  const clock = new FakeClock();
  const vault = await aVault(folder, clock);
  await vault.setPassphrase(undefined, phrase('mine'));
  clock.set('2040-01-01T00:00:00Z');
  expect(vault.degradations()).toMatchObject([{ code: 'key-change' }]);
  clock.advance(23 * HOUR);
  await vault.dispose();
  // The same boot, one hour and a second later.
  clock.advance(HOUR + 1);
  const next = await openIn(folder, clock);
  expect(await next.undoPassphrase(false)).toBe(false);
  await next.unlock({ passphrase: phrase('mine'), mayPrompt: false });
  expect(await value(next)).toBe('token-EXAMPLE');
  expect(readdirSync(folder).filter((name) => /key|undo/.test(name))).toEqual([]);
});

test('a change can be made final at once', async () => {
  const folder = aFolder();
  const vault = await aVault(folder);
  await vault.setPassphrase(undefined, phrase('mine'));
  expect(existsSync(join(folder, 'vault.key'))).toBe(true);
  expect(await vault.undoPassphrase(true)).toBe(true);
  expect(readdirSync(folder).filter((name) => /key|undo/.test(name))).toEqual([]);
  vault.lock();
  await expect(vault.unlock({ mayPrompt: false })).rejects.toMatchObject({ code: 'interaction_required' });
});

test('what was kept for one vault never changes another', async () => {
  const [folder, other] = [aFolder(), aFolder()];
  const vault = await aVault(folder);
  await vault.setPassphrase(undefined, phrase('mine'));
  await (await aVault(other)).dispose();
  copyFileSync(join(folder, 'vault.undo'), join(other, 'vault.undo'));
  const stranger = await openIn(other);
  expect(await stranger.undoPassphrase(false)).toBe(false);
  expect(await value(stranger)).toBe('token-EXAMPLE');
});
