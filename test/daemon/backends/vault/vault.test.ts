import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBackup, sealBackup } from '../../../../daemon/backends/backup.ts';
import type { Vault } from '../../../../daemon/backends/vault/file-vault.ts';
import { openVault } from '../../../../daemon/backends/vault/vault.ts';
import type { KeySource } from '../../../../daemon/backends/vault/vault-key.ts';
import { KeyholdError } from '../../../../protocol/errors.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld, testBackend, text } from '../../../contracts/backend.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../temporary.ts';

/** As weak as Argon2id can be, so that tests are quick. */
const kdf = { memory: 8, passes: 1, parallelism: 1 };

testBackend('vault', () => harness(async () => {}));
testBackend('passphrase vault', () => harness((vault) => vault.setPassphrase(undefined, passphrase())), { items: 100 });

describe('the vault', () => {
  let folder: TemporaryFolder;
  let vault: Vault;
  const kept: Secret[] = [];
  const keep = (bytes: Uint8Array) => {
    const secret = heapSecret(bytes);
    kept.push(secret);
    return secret;
  };
  const open = (keySource?: KeySource) => openVault({ folder: folder.path, keep, kdf, keySource });
  const reopen = async (keySource?: KeySource) => {
    await vault.dispose();
    vault = await open(keySource);
  };
  const path = (name: string) => join(folder.path, name);
  const secret = async () => (await text(vault, aHeld()))?.secret;

  beforeEach(async () => {
    folder = temporaryFolder('vault');
    kept.length = 0;
    vault = await open();
    await vault.put(aHeld(), { secret: secretFromText('token-EXAMPLE') });
  });
  afterEach(async () => {
    await vault.dispose();
    folder.remove();
  });

  describe('whose file is changed under it', () => {
    const taken = [
      ['is removed', () => rmSync(path('vault.db'))],
      ['is replaced by another', () => renameSync(path('other'), path('vault.db'))],
      ['loses its WAL', () => rmSync(path('vault.db-wal'))],
      ['is moved away with its folder', () => renameSync(folder.path, `${folder.path}-away`)],
    ] as const;

    it.each(taken)('acknowledges nothing once it %s, and serves what it has', async (what, take) => {
      writeFileSync(path('other'), readFileSync(path('vault.db')), { mode: 0o600 });
      take();
      const late = aHeld({ username: 'late', id: 'late' });
      const refused = { code: 'backend_failed', message: expect.stringContaining('while the agent had it open') };
      await expect(vault.put(late, { secret: secretFromText('late-EXAMPLE') })).rejects.toMatchObject(refused);
      await expect(vault.annotate(aHeld({ expiresAt: 5 }))).rejects.toMatchObject(refused);
      await expect(vault.remove(aHeld())).rejects.toMatchObject(refused);
      await expect(vault.putAll!([{ held: late, secrets: {} }])).rejects.toMatchObject(refused);
      expect(vault.degradations().map(({ code }) => code)).toContain('vault-file-gone');
      expect((await text(vault, aHeld()))?.secret).toBe('token-EXAMPLE');
      if (what.startsWith('is moved')) renameSync(`${folder.path}-away`, folder.path);
    });
  });

  it('keeps changes of many kinds that come at the same time, in their order', async () => {
    const many = Array.from({ length: 70 }, (_, at) => aHeld({ id: `${at}`, username: `u${at}` }));
    for (const held of many) await vault.put(held, { secret: secretFromText('many-EXAMPLE') });
    const [first, second, ...rest] = many;
    await Promise.all([
      vault.annotate({ ...first!, shown: 'before' }),
      vault.remove(second!),
      vault.annotate({ ...second!, shown: 'gone' }),
      vault.put(first!, { secret: secretFromText('anew-EXAMPLE') }),
      ...rest.map((held) => vault.annotate({ ...held, shown: held.id })),
    ]);
    await reopen();
    const all = new Map((await vault.list()).map((held) => [held.id, held]));
    expect(all.size).toBe(many.length);
    expect(all.get('0')).toEqual(first);
    expect((await text(vault, first!))?.secret).toBe('anew-EXAMPLE');
    expect(all.has('1')).toBe(false);
    for (const held of rest) expect(all.get(held.id)).toEqual({ ...held, shown: held.id });
  });

  it('is not made anew in the place of one that was lost', async () => {
    await vault.dispose();
    renameSync(path('vault.db'), path('away'));
    writeFileSync(path('vault.hosts'), '');
    await expect(open()).rejects.toMatchObject({ code: 'vault_missing' });
    rmSync(path('vault.hosts'));
    await expect(openVault({ folder: folder.path, keep: heapSecret, isExpected: true })).rejects.toMatchObject({
      code: 'vault_missing',
      message: expect.stringContaining(`rm -f ${folder.path}/backend ${folder.path}/vault.hosts && keyhold restart`),
    });
    expect(existsSync(path('vault.db'))).toBe(false);
    renameSync(path('away'), path('vault.db'));
    vault = await open();
    expect((await text(vault, aHeld()))?.secret).toBe('token-EXAMPLE');
  });

  it('begins with a random key in a file of mode 0600 beside it, and says that this is degraded', () => {
    expect(statSync(path('vault.key')).size).toBe(32);
    expect(statSync(path('vault.key')).mode & 0o777).toBe(0o600);
    expect(vault.needsPassphrase).toBe(false);
    expect(vault.degradations()).toEqual([
      {
        code: 'key-beside-vault',
        what: 'the key lies beside the vault',
        remedy: 'run: keyhold backend passphrase, or use the keyring',
      },
    ]);
  });

  it('opens by its key file again, after a lock too', async () => {
    await reopen();
    expect(await secret()).toBe('token-EXAMPLE');
    vault.lock();
    await expect(vault.list()).rejects.toThrow(fault('backend_locked'));
    await vault.unlock({ mayPrompt: false });
    expect(await secret()).toBe('token-EXAMPLE');
  });

  it('says that the key is missing, foreign, cut or open to others, and touches nothing', async () => {
    await vault.dispose();
    const [db, key] = [readFileSync(path('vault.db')), readFileSync(path('vault.key'))];
    const keyFiles: [Buffer | undefined, number, string][] = [
      [undefined, 0, 'vault_key_missing'],
      [Buffer.alloc(32), 0o600, 'vault_wrong_key'],
      [key.subarray(0, 31), 0o600, 'vault_truncated'],
      [Buffer.alloc(0), 0o600, 'vault_truncated'],
      [key, 0o640, 'unsafe_place'],
    ];
    for (const [bytes, mode, code] of keyFiles) {
      rmSync(path('vault.key'), { force: true });
      if (bytes) writeFileSync(path('vault.key'), bytes, { mode });
      expect(await codeOf(open())).toBe(code);
      expect(readFileSync(path('vault.db')).equals(db)).toBe(true);
      expect(existsSync(path('vault.key'))).toBe(bytes !== undefined);
      if (bytes) expect(readFileSync(path('vault.key')).equals(bytes)).toBe(true);
    }
    rmSync(path('vault.key'));
    writeFileSync(path('vault.key'), key, { mode: 0o600 });
    vault = await open();
    expect(await secret()).toBe('token-EXAMPLE');
  });

  it('never begins anew in place of an empty or damaged file', async () => {
    await vault.dispose();
    const db = readFileSync(path('vault.db'));
    const damaged = Buffer.from(db);
    damaged.fill(0, 4_096);
    for (const bytes of [Buffer.alloc(0), damaged, db.subarray(0, 8_192)]) {
      writeFileSync(path('vault.db'), bytes);
      expect(['vault_truncated', 'vault_corrupt']).toContain(await codeOf(open()));
      expect(readFileSync(path('vault.db')).equals(bytes)).toBe(true);
    }
    writeFileSync(path('vault.db'), db);
    vault = await open();
    expect(await secret()).toBe('token-EXAMPLE');
  });

  it('opens locked with a passphrase, and takes the right one only', async () => {
    await vault.setPassphrase(undefined, passphrase());
    expect(vault.needsPassphrase).toBe(true);
    expect(vault.degradations()).toEqual([]);
    expect(existsSync(path('vault.key'))).toBe(false);
    expect(await secret()).toBe('token-EXAMPLE'); // what was unlocked stays so

    await reopen();
    expect(vault.needsPassphrase).toBe(true);
    await expect(vault.list()).rejects.toThrow(fault('backend_locked'));
    await expect(vault.get(aHeld())).rejects.toThrow(fault('backend_locked'));
    await expect(vault.put(aHeld(), {})).rejects.toThrow(fault('backend_locked'));
    await expect(vault.remove(aHeld())).rejects.toThrow(fault('backend_locked'));
    await expect(vault.unlock({ mayPrompt: true })).rejects.toThrow(fault('interaction_required'));
    await expect(vault.unlock({ passphrase: passphrase('another'), mayPrompt: false })).rejects.toThrow(
      fault('wrong_passphrase'),
    );
    await vault.unlock({ passphrase: passphrase(), mayPrompt: false });
    expect(await secret()).toBe('token-EXAMPLE');
  });

  it('changes and removes the passphrase for whoever knows it', async () => {
    await vault.setPassphrase(undefined, passphrase('first'));
    await expect(vault.setPassphrase(undefined, passphrase('second'))).rejects.toThrow(fault('interaction_required'));
    await expect(vault.setPassphrase(passphrase('wrong'), undefined)).rejects.toThrow(fault('wrong_passphrase'));
    await expect(vault.setPassphrase(passphrase('first'), secretFromText(''))).rejects.toThrow(fault('secret_unfit'));
    await vault.setPassphrase(passphrase('first'), passphrase('second'));
    await reopen();
    await expect(vault.unlock({ passphrase: passphrase('first'), mayPrompt: false })).rejects.toThrow(
      fault('wrong_passphrase'),
    );
    await vault.setPassphrase(passphrase('second'), undefined); // also while it is locked
    await expect(vault.list()).rejects.toThrow(fault('backend_locked'));
    await reopen();
    expect(await secret()).toBe('token-EXAMPLE');
    expect(vault.degradations()[0]?.code).toBe('key-beside-vault');
  });

  it('leaves no header of an older passphrase in its file', async () => {
    const wrapped = () => /"wrapped":"([^"]+)"/.exec(readFileSync(path('vault.db')).toString('latin1'))?.[1];
    await vault.setPassphrase(undefined, passphrase('first'));
    const first = wrapped()!;
    await vault.setPassphrase(passphrase('first'), passphrase('second'));
    await vault.dispose();
    expect(wrapped()).not.toBe(first);
    expect(readFileSync(path('vault.db')).includes(first)).toBe(false);
  });

  it('keeps its key where it is told to', async () => {
    await vault.dispose();
    folder.remove();
    folder = temporaryFolder('vault');
    const source = aKeySource();
    vault = await open(source);
    await vault.put(aHeld(), { secret: secretFromText('token-EXAMPLE') });
    expect(readdirSync(folder.path).sort()).toEqual(['vault.db', 'vault.db-wal']);
    expect(vault.degradations()).toEqual([]);
    await reopen(source);
    expect(await secret()).toBe('token-EXAMPLE');
    await vault.setPassphrase(undefined, passphrase());
    await vault.setPassphrase(passphrase(), undefined);
    await reopen(source);
    expect(await secret()).toBe('token-EXAMPLE');
    await vault.dispose();
    expect(await codeOf(open())).toBe('vault_key_missing');
    expect(await codeOf(open(aKeySource()))).toBe('vault_key_missing');
  });

  it('opens locked where its key source is locked, and opens when that is open', async () => {
    await vault.dispose();
    folder.remove();
    folder = temporaryFolder('vault');
    const source = aKeySource();
    vault = await open(source);
    source.locked = true;
    await reopen(source);
    await expect(vault.list()).rejects.toThrow(fault('backend_locked'));
    await expect(vault.unlock({ mayPrompt: false })).rejects.toThrow(fault('backend_locked'));
    source.locked = false;
    await vault.unlock({ mayPrompt: false });
    expect(await vault.list()).toEqual([]);
  });

  it('moves its key between the file and the key source, and prompts for the source only when it may', async () => {
    const source = {
      ...aKeySource(),
      asked: 0,
      async unlock() {
        this.asked++;
        this.locked = false;
      },
    };
    const openHere = () => openVault({ folder: folder.path, keep, kdf, keySource: source, keyPlace: 'key-file' });
    await vault.dispose();
    vault = await openHere();
    await vault.setPassphrase(undefined, undefined, 'key-source');
    expect(existsSync(path('vault.key'))).toBe(false);
    expect(vault.degradations()).toEqual([]);
    await vault.dispose();
    source.locked = true;
    vault = await openHere();
    await expect(vault.unlock({ mayPrompt: false })).rejects.toThrow(fault('backend_locked'));
    expect(source.asked).toBe(0);
    await vault.unlock({ mayPrompt: true });
    expect([source.asked, await secret()]).toEqual([1, 'token-EXAMPLE']);
    await vault.setPassphrase(undefined, undefined, 'key-file');
    await vault.dispose();
    vault = await open();
    expect(await secret()).toBe('token-EXAMPLE');
  });

  it('stays locked when it is locked while it unlocks', async () => {
    await vault.setPassphrase(undefined, passphrase());
    await reopen();
    const unlocking = vault.unlock({ passphrase: passphrase(), mayPrompt: false });
    vault.lock();
    await expect(unlocking).rejects.toThrow(fault('backend_locked'));
    await expect(vault.list()).rejects.toThrow(fault('backend_locked'));
  });

  it('has wiped every key when it is locked', async () => {
    await vault.setPassphrase(undefined, passphrase());
    await secret();
    vault.lock();
    expect(kept.length).toBeGreaterThan(8);
    expect(kept.filter((one) => one.length > 0)).toEqual([]);
  });

  it('is backed up while stores go on', async () => {
    const value = (number: number) => `${number}-EXAMPLE`;
    const heldOf = (number: number) => aHeld({ username: `u${number % 50}`, id: `${number}` });
    const stores = (async () => {
      for (let number = 0; number < 300; number++) {
        await vault.put(heldOf(number), { secret: secretFromText(value(number)) });
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 5; round++) {
      const items = [];
      for (const held of await vault.list()) items.push({ held, secrets: (await vault.get(held))! });
      const { header, records } = await sealBackup(passphrase(), items, kdf);
      const backup = await openBackup(passphrase(), header, keep);
      const found = backup.read(records);
      expect(backup.missing).toBe(0);
      expect(found.map(({ held }) => held)).toEqual(items.map(({ held }) => held));
      backup.dispose();
    }
    await stores;
    expect((await text(vault, heldOf(299)))?.secret).toBe(value(299));
  });
});

async function harness(prepare: (vault: Vault) => Promise<void>) {
  const folder = temporaryFolder('vault');
  const open = async () => {
    const vault = await openVault({ folder: folder.path, keep: heapSecret, kdf });
    if (vault.needsPassphrase) await vault.unlock({ passphrase: passphrase(), mayPrompt: false });
    return vault;
  };
  let backend = await open();
  await prepare(backend);
  return {
    backend,
    async reopen() {
      backend = await open();
      return backend;
    },
    async close() {
      await backend.dispose();
      folder.remove();
    },
  };
}

function passphrase(words = 'correct horse'): Secret {
  return secretFromText(`${words} EXAMPLE`);
}

function aKeySource(): KeySource & { locked: boolean } {
  let resting: Uint8Array | undefined;
  return {
    locked: false,
    async read() {
      if (this.locked) throw new KeyholdError('backend_locked', 'cannot read the key: the keyring is locked');
      return resting && heapSecret(resting);
    },
    async write(key) {
      resting = expose(key);
    },
  };
}

function fault(code: string) {
  return expect.objectContaining({ name: 'KeyholdError', code });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'no fault';
  } catch (error) {
    return error instanceof KeyholdError ? error.code : String(error);
  }
}
