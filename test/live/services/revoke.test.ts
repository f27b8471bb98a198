import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Apkg, openApkg } from '../../fakes/services/apkg.ts';
import { openPangolin, type Pangolin } from '../../fakes/services/pangolin.ts';
import { openRig, type Rig } from './rig.ts';

const yes = ['--yes', '--reason', 'the laptop was lost'];

describe('token revoke of many, and of what nobody here holds', () => {
  let server: Apkg;
  let rig: Rig;
  const at = ['--service', 'apkg'];
  /** Made by somebody else, elsewhere: only the service knows it. */
  const elsewhere = async (name: string) => {
    const session = (await rig.run(['token', 'print', '--for', server.url, '--username', 'ada'])).stdout.trim();
    const answer = await fetch(`${server.url}/auth/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name, scopes: ['read'], expiresIn: '30d' }),
    });
    return (await answer.json()) as { id: string };
  };

  beforeAll(async () => {
    server = await openApkg();
    rig = await openRig('apkg', server);
    await rig.json(['auth', 'login', ...at, '--username', 'ada', '--stdin'], { input: 'password-EXAMPLE\n' });
    for (const name of ['ci-one', 'ci-two']) await rig.json(['token', 'create', name, '--scopes', 'read', ...at]);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('ends one that only the service knows, by its name or by how its id begins (G4, G7)', async () => {
    await elsewhere('old-laptop');
    const { id } = await elsewhere('old-phone');
    const alone = await rig.run(['token', 'revoke', 'old-laptop', '--yes']);
    expect(alone).toMatchObject({ code: 4, stderr: expect.stringContaining('--service NAME') });
    const { results } = await rig.json(['token', 'revoke', 'old-laptop', id.slice(0, 12), ...at, ...yes]);
    expect(results).toMatchObject([
      { exitCode: 0, upstream: 'revoked', token: { name: 'old-laptop' } },
      { exitCode: 0, upstream: 'revoked', token: { name: 'old-phone' } },
    ]);
    expect(server.active().map(({ name }) => name)).toEqual(['ci-one', 'ci-two']);
  });

  test('--all shows first who used them, asks, and comes to the session last (G8)', async () => {
    await elsewhere('old-desktop');
    await rig.run(['token', 'print', 'ci-two']);
    // Uses are counted in batches.
    await expect.poll(async () => (await rig.json(['token', 'show', 'ci-two']))['usage']).toMatchObject({ count: 1 });
    const asked = await rig.run(['token', 'revoke', '--all', ...at]);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('these 3 tokens') });
    expect(asked.stdout).toMatch(/Used in the last days:\n(.*\n)*- ci-two: 1 times/);
    expect(server.active()).toHaveLength(3);
    // apkg has no call that ends a session: that one is kept, and says so.
    const ended = await rig.run(['token', 'revoke', '--all', ...at, ...yes, '--json']);
    expect(ended.code).toBe(11);
    const { results, uses } = JSON.parse(ended.stdout);
    const said = results as { exitCode: number; message?: string; token: { name?: string; kind?: string } }[];
    expect(said.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 11]);
    expect(said.at(-1)).toMatchObject({ token: { kind: 'session' }, message: expect.stringContaining('auth logout') });
    expect(uses).toContainEqual(expect.objectContaining({ name: 'ci-two' }));
    expect(server.active()).toEqual([]);
    const { items } = await rig.json(['token', 'list', '--deleted']);
    const reasons = (items as unknown as { reason: string }[]).map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(['the laptop was lost']));
  });

  test('takes names or --all, one of them', async () => {
    expect((await rig.run(['token', 'revoke', ...at, '--yes'])).code).toBe(2);
    expect((await rig.run(['token', 'revoke', 'ci-one', '--all', ...at, '--yes'])).code).toBe(2);
  });
});

describe("token revoke of another user's tokens", () => {
  let server: Pangolin;
  let rig: Rig;
  const at = ['--service', 'pangolin'];
  const login = (username: string) =>
    rig.json(['auth', 'login', ...at, '--username', username, '--tenant', server.tenant, '--stdin'], {
      input: 'password-EXAMPLE\n',
    });

  beforeAll(async () => {
    server = await openPangolin();
    rig = await openRig('pangolin', server);
    await login('ada');
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('is for administrators: others are told so, and nothing changes (G15)', async () => {
    const refused = await rig.run(['token', 'revoke', '--all', '--user', server.users.user.id, ...at, '--yes']);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('only an administrator') });
  });

  test('--all --user lists them and ends each (G6, G8)', async () => {
    await login('tess');
    const admin = (await rig.run(['token', 'print', '--for', server.url, '--username', 'tess'])).stdout.trim();
    for (let count = 0; count < 2; count++) {
      await fetch(`${server.url}/api/v1/tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        body: JSON.stringify({ tenant_id: server.tenant, username: 'ada' }),
      });
    }
    const user = ['--user', server.users.user.id, '--as', 'tess', ...at];
    const { results } = await rig.json(['token', 'revoke', '--all', ...user, ...yes]);
    const said = results as unknown as { exitCode: number; token: { tokenId: string } }[];
    expect(said).toHaveLength(2);
    for (const { exitCode, token } of said) {
      expect(exitCode).toBe(0);
      expect(server.isAlive(token.tokenId)).toBe(false);
    }
    expect(JSON.stringify(results)).not.toMatch(/eyJ/);
  });

  test("a service that lists nobody else's ends with 11", async () => {
    await using other = await openApkg();
    await using apkg = await openRig('apkg', other);
    const said = await apkg.run(['token', 'revoke', '--all', '--user', 'grace', '--service', 'apkg', '--yes']);
    expect(said).toMatchObject({ code: 11, stderr: expect.stringContaining("lists another user's tokens") });
  });
});
