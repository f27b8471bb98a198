import { describe, expect, test } from 'vitest';
import { keyringKeySource } from '../../../daemon/backends/keyring/key-source.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { aHeld, text } from '../../contracts/backend.ts';
import { childIn, failure, keyringIn, openSession, PATIENT } from './harness.ts';
import { needKeyring } from './need.ts';

const held = aHeld({ host: 'example.com', username: 'alice' });
const lookup = ['secret-tool', 'lookup', 'service', 'https://example.com', 'username', 'alice'] as const;

describe.skipIf(!needKeyring())('the keyring backend', () => {
  test('stores what secret-tool finds by service and username, as the bare secret', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    expect(await open.session.run(...lookup)).toBe('token-EXAMPLE');
  });

  test('names an item with a path as protocol://host/path, and one without a username by an empty one', async () => {
    await using open = await openSession();
    await open.backend.put(aHeld({ path: 'org/repo.git', username: undefined }), {
      secret: secretFromText('token-EXAMPLE'),
    });
    const found = await open.session.run('secret-tool', 'lookup', 'service', 'https://git.example.com/org/repo.git');
    expect(found).toBe('token-EXAMPLE');
  });

  test('keeps a refresh token in an item beside it', async () => {
    await using open = await openSession();
    await open.backend.put(held, {
      secret: secretFromText('token-EXAMPLE'),
      refreshToken: secretFromText('refresh-EXAMPLE'),
    });
    const service = 'keyhold refresh https://example.com';
    expect(await open.session.run('secret-tool', 'lookup', 'service', service)).toBe('refresh-EXAMPLE');
    await open.backend.remove(held);
    await expect(open.session.run('secret-tool', 'lookup', 'service', service)).rejects.toMatchObject({ code: 1 });
  });

  test('removes the item from the keyring', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.backend.remove(held);
    await expect(open.session.run(...lookup)).rejects.toMatchObject({ code: 1 });
  });

  test('gives back what was put after every process was killed', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.session.kill();
    await open.backend.dispose();
    await open.session.start();
    const again = await keyringIn(open.session);
    expect(await again.list()).toEqual([held]);
    expect((await text(again, held))?.secret).toBe('token-EXAMPLE');
    await again.dispose();
  });

  test('notices at a get that the person removed the item', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.session.run('secret-tool', 'clear', ...lookup.slice(2));
    expect(await open.backend.get(held)).toBeUndefined();
    expect(await open.backend.list()).toEqual([]);
  });

  test('notices at its start that the person removed the item', async () => {
    await using open = await openSession();
    const kept = aHeld({ username: 'kept' });
    for (const one of [held, kept]) await open.backend.put(one, { secret: secretFromText('token-EXAMPLE') });
    await open.backend.dispose();
    await open.session.run('secret-tool', 'clear', ...lookup.slice(2));
    const again = await keyringIn(open.session);
    expect(await again.list()).toEqual([kept]);
    await again.dispose();
  });

  test('serves what the person changed the item to', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.session.run(
      'sh',
      '-c',
      `printf changed-EXAMPLE | secret-tool store --label=x ${lookup.slice(2).join(' ')}`,
    );
    expect((await text(open.backend, held))?.secret).toBe('changed-EXAMPLE');
  });

  test('forgets nothing when another keyring is open', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.session.run('secret-tool', 'clear', 'service', 'keyhold', 'username', 'index');
    await open.session.run('secret-tool', 'clear', ...lookup.slice(2));
    expect((await failure(open.backend.get(held))).code).toBe('backend_absent');
    await open.backend.dispose();
    const again = await keyringIn(open.session);
    expect((await failure(again.list())).code).toBe('vault_key_missing');
    await again.dispose();
  });

  test('touches none of two items that it cannot tell apart', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    await open.session.run(
      'sh',
      '-c',
      `printf other-EXAMPLE | secret-tool store --label=x application other ${lookup.slice(2).join(' ')}`,
    );
    for (const call of [
      open.backend.get(held),
      open.backend.put(held, { secret: secretFromText('new-EXAMPLE') }),
      open.backend.remove(held),
    ]) {
      expect((await failure(call)).code).toBe('backend_failed');
    }
    const all = await open.session.run('sh', '-c', `secret-tool search --all ${lookup.slice(2).join(' ')} 2>&1`);
    expect(all.match(/^secret = .*$/gm)?.sort()).toEqual(['secret = other-EXAMPLE', 'secret = token-EXAMPLE']);
  });

  test('refuses an item that is longer than a secret may be', async () => {
    await using open = await openSession();
    await open.backend.put(held, { secret: secretFromText('token-EXAMPLE') });
    const write =
      "const { Entry } = require('@napi-rs/keyring'); new Entry('https://example.com', 'alice', " +
      "{ linux: { store: 'secret-service' } }).setPassword('x'.repeat(100_000))";
    await open.session.run(process.execPath, '-e', write);
    expect((await failure(open.backend.get(held))).code).toBe('backend_failed');
  });

  test('keeps the key of a vault in one item', async () => {
    await using open = await openSession();
    const source = keyringKeySource({ ...childIn(open.session), keep: heapSecret, deadline: PATIENT });
    expect(await source.read()).toBeUndefined();
    const key = heapSecret(new Uint8Array(32).map((_, i) => 7 * i));
    await source.write(key);
    const again = keyringKeySource({ ...childIn(open.session), keep: heapSecret, deadline: PATIENT });
    expect(expose((await again.read())!)).toEqual(expose(key));
    await open.session.lock();
    expect((await failure(source.read())).code).toBe('backend_locked');
  });
});
