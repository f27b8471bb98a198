import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Backend, Held } from '../../../daemon/backends/backend.ts';
import { ownTarget } from '../../../daemon/history/tombstones/own-records.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import { text } from '../../contracts/backend.ts';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { failure, keyringIn } from './harness.ts';
import { needKeyring } from './need.ts';

const at = (host: string, more: Partial<Held> = {}): Held => {
  return { protocol: 'https', host, username: 'ada', id: host, storedAt: 1_900_000_000, ...more };
};
const value = (name: string) => ({ secret: secretFromText(`${name}-EXAMPLE`) });

/** A keyring with `put`, whose index is lost then; `open` starts an agent's backend over it. */
async function aLostIndex(put: (backend: Backend) => Promise<void>, lose = (file: string) => rmSync(file)) {
  const session = await startKeyringSession();
  const before = await keyringIn(session);
  await put(before);
  await before.dispose();
  const file = join(session.home, 'state/keyring.db');
  lose(file);
  return { session, file, open: () => keyringIn(session, { isExpected: true }) };
}

describe.skipIf(!needKeyring())('a keyring whose index is lost', () => {
  test('serves every item again, under new ids, and says what that has cost', async () => {
    const many = Array.from({ length: 150 }, (_, number) => `h${number}.test`);
    const { session, open } = await aLostIndex(async (backend) => {
      for (const host of many) await backend.put(at(host), value(host));
      await backend.put(at('front.test', { front: 'docker', fronts: ['docker'], frontOnly: true }), value('front'));
      await backend.put(at('login.test'), { ...value('access'), refreshToken: secretFromText('refresh-EXAMPLE') });
      await backend.put({ ...ownTarget('mark-key', 'a1'), id: 'a1', storedAt: 1 }, value('key'));
      await backend.put({ ...ownTarget('rotation-old', 'b1'), id: 'b1', storedAt: 1 }, value('former'));
      await backend.put(at('erased.test'), value('erased'));
      await backend.remove(at('erased.test'));
      await backend.put(at('binned.test'), value('binned'));
      await backend.move(at('binned.test'), { ...ownTarget('erased', 'c1'), id: 'c1', storedAt: 1 });
    });
    await using _ = session;
    // What other programs keep in the same keyring is none of ours.
    const store = (...attributes: string[]) =>
      session.run('sh', '-c', `printf other-EXAMPLE | secret-tool store --label=x ${attributes.join(' ')}`);
    await store('service', 'https://other.test', 'username', 'ada', 'application', 'other');
    await store('xdg:schema', 'org.gnome.Other', 'user', 'ada');
    const reports: string[] = [];
    const backend = await open();
    const all = await backend.list((done, total) => reports.push(`${done} of ${total}`));
    expect(all.map(({ host }) => host).sort()).toEqual([...many, 'front.test', 'login.test', 'mark-key'].sort());
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.every(({ storedAt }) => storedAt > 1_700_000_000)).toBe(true);
    const of = (host: string) => all.find((held) => held.host === host)!;
    for (const host of many.slice(0, 5)) expect((await text(backend, of(host)))?.secret).toBe(`${host}-EXAMPLE`);
    expect(of('front.test').front).toBe('docker');
    expect(await text(backend, of('login.test'))).toEqual({
      secret: 'access-EXAMPLE',
      refreshToken: 'refresh-EXAMPLE',
    });
    expect(of('mark-key')).toMatchObject({ id: 'a1', path: 'a1' });
    expect(backend.degradations()).toMatchObject([{ code: 'keyring-rebuilt' }]);
    expect(backend.degradations()[0]!.what).toContain('152 credentials are held again');
    expect(backend.degradations()[0]!.what).toContain('1 items could not be told');
    expect(reports.length).toBeGreaterThan(2);
    await backend.dispose();
    // The index that was made is an index like any other.
    const next = await open();
    expect((await next.list()).map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
    expect(next.degradations()).toEqual([]);
    await next.dispose();
  });

  test('is refused as damaged where the file cannot be read, and is made anew once that is moved away', async () => {
    const damage = (file: string) => writeFileSync(file, 'no index at all'.repeat(100), { mode: 0o600 });
    const { session, file, open } = await aLostIndex((backend) => backend.put(at('a.test'), value('a')), damage);
    await using _ = session;
    const damaged = await open();
    expect((await failure(damaged.list())).code).toBe('vault_corrupt');
    await damaged.dispose();
    renameSync(file, `${file}.damaged`);
    const backend = await open();
    expect((await backend.list()).map(({ host }) => host)).toEqual(['a.test']);
    await backend.dispose();
  });

  test('waits for its keyring where that is locked, and is made anew behind the unlock', async () => {
    const { session, file, open } = await aLostIndex((backend) => backend.put(at('a.test'), value('a')));
    await using _ = session;
    await session.lock();
    const backend = await open();
    expect((await failure(backend.list())).code).toBe('backend_locked');
    expect(existsSync(file)).toBe(false);
    await session.unlock();
    expect((await backend.list()).map(({ host }) => host)).toEqual(['a.test']);
    await backend.dispose();
  });

  test('begins empty in a state folder of which no credential rested here: another one shares the keyring', async () => {
    const { session, file } = await aLostIndex((backend) => backend.put(at('a.test'), value('a')));
    await using _ = session;
    const other = await keyringIn(session, { isExpected: false });
    expect(await other.list()).toEqual([]);
    expect(existsSync(file)).toBe(true);
    await other.dispose();
  });
});
