import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Apkg, openApkg } from '../../fakes/services/apkg.ts';
import { testServiceFaults } from './faults.ts';
import { openRig, type Rig } from './rig.ts';

/** The commands of the seed document, each as its counterpart here. */
describe('apkg', () => {
  let server: Apkg;
  let rig: Rig;
  const at = ['--service', 'apkg'];

  beforeAll(async () => {
    // Time stands still there: the six digits of a busy machine would be over before they arrive.
    const now = Math.floor(Date.now() / 1_000);
    server = await openApkg({ mfa: true, clock: { now: () => now } });
    rig = await openRig('apkg', server);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('nothing is created or listed before somebody signs in', async () => {
    const created = await rig.run(['token', 'create', 'ci-deploy', '--scopes', 'publish', ...at]);
    expect(created.code).toBe(6);
    const listed = await rig.run(['token', 'list', '--remote', ...at]);
    expect(listed).toMatchObject({ code: 6, stderr: expect.stringContaining('keyhold auth login --service apkg') });
    expect((await rig.run(['auth', 'status', ...at])).code).toBe(6);
  });

  test('apkg login: password and second factor by standard input, never as arguments (K15)', async () => {
    const wrong = await rig.run(['auth', 'login', ...at, '--username', 'ada', '--stdin'], { input: 'wrong-EXAMPLE\n' });
    expect(wrong).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('user, password or second factor is wrong'),
    });
    const without = await rig.run(['auth', 'login', ...at, '--username', 'ada', '--stdin'], {
      input: 'password-EXAMPLE\n',
    });
    expect(without).toMatchObject({ code: 6, stderr: expect.stringContaining('six digits') });
    const input = `password-EXAMPLE\n${server.totp()}\n`;
    const { signedIn } = await rig.json(['auth', 'login', ...at, '--username', 'ada', '--stdin'], { input });
    expect(signedIn).toMatchObject({ account: 'ada', kind: 'session', service: 'apkg' });
    expect((await rig.run(['auth', 'login', ...at, '--username', 'ada', '--password', 'password-EXAMPLE'])).code).toBe(
      2,
    );
  });

  test('apkg whoami, and who is signed in without asking (K17)', async () => {
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe('ada\n');
    const { accounts } = await rig.json(['auth', 'status', ...at]);
    expect(accounts).toMatchObject([{ account: 'ada', kind: 'session' }]);
    const info = await rig.json(['auth', 'token-info', ...at]);
    expect(info).toMatchObject({ account: 'ada', remote: { whoami: { user: 'ada' } } });
  });

  test('an answer of 200 that says nothing is not told as the word of the service, and ends with 1', async () => {
    server.fail('null');
    try {
      for (const more of [[], ['--json']]) {
        const { code, stdout, stderr } = await rig.run(['auth', 'whoami', ...at, ...more]);
        expect({ code, stdout: stdout.includes('ada') }).toEqual({ code: 1, stdout: false });
        if (more.length === 0) expect(stderr).toContain('its answer says nothing that its interface promises');
      }
    } finally {
      server.recover();
    }
  });

  test('apkg token create --label ci-deploy: kept, and not shown (K1, K4, K5, K7, K21)', async () => {
    const { created } = await rig.json([
      'token',
      'create',
      'ci-deploy',
      '--scopes',
      'publish',
      '--limit',
      '@ada/*',
      '--expires-in',
      '30d',
      ...at,
    ]);
    expect(created).toMatchObject({
      label: 'ci-deploy',
      kind: 'ci',
      service: 'apkg',
      scopes: ['publish'],
      prefix: 'apkg_',
    });
    expect(server.active()).toMatchObject([{ name: 'ci-deploy' }]);
    const value = (await rig.run(['token', 'print', 'ci-deploy'])).stdout.trim();
    expect(value).toMatch(/^apkg_/);
    expect(rig.said().split(value)).toHaveLength(2);
  });

  test('a token shows what the registry said of its life and scopes (K3, D52)', async () => {
    const shown = await rig.json(['token', 'show', 'ci-deploy']);
    const life = (Number(shown['expiresAt']) - Date.now() / 1_000) / 86_400;
    expect(life).toBeGreaterThan(29);
    expect(shown).toMatchObject({ scopes: ['publish'] });
  });

  test('--reveal shows the value once, on standard output alone', async () => {
    const { stdout, code } = await rig.run(['token', 'create', 'ci-shown', '--scopes', 'read', '--reveal', ...at]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^apkg_\w+\n$/);
    expect((await rig.run(['token', 'print', 'ci-shown'])).stdout).toBe(stdout);
  });

  test('what the registry does not take is told before or by it, and nothing is kept', async () => {
    const lifetime = await rig.run(['token', 'create', 'short-ci', '--expires-in', '5d', '--scopes', 'read', ...at]);
    expect(lifetime).toMatchObject({ code: 2, stderr: expect.stringContaining('30d, 90d, 365d') });
    const scope = await rig.run(['token', 'create', 'wrong-scope', '--scopes', 'everything', ...at]);
    expect(scope.code).toBe(2);
    expect(server.active()).toHaveLength(2);
  });

  test('apkg token list: both sides in one list, and no value (K9, K23)', async () => {
    const { items, active } = await rig.json(['token', 'list', '--remote', ...at]);
    expect(items).toMatchObject([
      {
        state: 'both',
        name: 'ci-deploy',
        label: 'ci-deploy',
        tokenId: expect.any(String),
        createdAt: expect.any(Number),
      },
      { state: 'both', name: 'ci-shown' },
      { state: 'local', kind: 'session' },
    ]);
    expect(active).toBe(2);
    const { stdout } = await rig.run(['token', 'list', '--remote', ...at], { environment: { COLUMNS: '80' } });
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).not.toMatch(/apkg_\w{8}/);
  });

  test('apkg token revoke ID-OR-LABEL, several, by the beginning of an id (K10, K22)', async () => {
    const { items } = await rig.json(['token', 'list', '--remote', ...at]);
    const [first] = items as unknown as { tokenId: string }[];
    const asked = await rig.run(['token', 'revoke', 'ci-shown', ...at]);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    const { results } = await rig.json([
      'token',
      'revoke',
      first!.tokenId.slice(0, 8),
      'ci-shown',
      '--yes',
      '--reason',
      'test',
    ]);
    expect(results).toMatchObject([
      { exitCode: 0, upstream: 'revoked', probe: 'dead' },
      { exitCode: 0, upstream: 'revoked', probe: 'dead' },
    ]);
    expect(server.active()).toEqual([]);
    expect((await rig.run(['token', 'revoke', 'ci-shown', '--yes'])).code).toBe(4);
    const deleted = await rig.json(['token', 'list', '--deleted']);
    expect(deleted['items']).toMatchObject([{ reason: 'test' }, { reason: 'test' }]);
  });

  test('who used it in the last days is shown before it dies (K11)', async () => {
    await rig.json(['token', 'create', 'ci-used', '--scopes', 'read', ...at]);
    await rig.run(['token', 'print', 'ci-used']);
    // Uses are counted in batches.
    await expect.poll(async () => (await rig.json(['token', 'show', 'ci-used']))['usage']).toMatchObject({ count: 1 });
    const { stdout } = await rig.run(['token', 'revoke', 'ci-used', '--yes']);
    expect(stdout).toContain('Used in the last days:');
    expect(stdout).toMatch(/ci-used: 1 times/);
    expect(stdout).toContain('a probe shows that it is dead');
  });

  test('a second revocation is done, by what the service says (G16)', async () => {
    await rig.json(['token', 'create', 'ci-twice', '--scopes', 'read', ...at]);
    const shown = await rig.json(['token', 'show', 'ci-twice']);
    const session = (await rig.run(['token', 'print', '--for', server.url, '--username', 'ada'])).stdout.trim();
    await fetch(`${server.url}/auth/tokens/${shown['tokenId']}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${session}` },
    });
    const { results } = await rig.json(['token', 'revoke', 'ci-twice', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'gone', probe: 'dead' }]);
  });

  test('a token of another registry is not sent there (K6, K20)', async () => {
    await using other = await openApkg();
    const refused = await rig.run(['token', 'list', '--remote', ...at, '--for', other.url]);
    expect(refused.code).toBe(6);
    expect(other.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  test('which registry: what was said, else the profile, else the folder, else its own host (K19)', async () => {
    const folder = join(rig.home, 'package');
    mkdirSync(join(folder, '.apkg'), { recursive: true });
    writeFileSync(join(folder, '.apkg/config.json'), '{"registry":"https://registry.folder.example"}');
    // Whether the session is found tells which registry was meant; nothing is asked of any.
    const signedIn = async (cwd: string, ...more: string[]) =>
      (await rig.run(['auth', 'status', ...at, ...more], { cwd })).code;
    await rig.json(['profile', 'set', 'endpoint.apkg', server.url, '--profile', 'own']);
    expect(await signedIn(rig.home)).toBe(0);
    expect(await signedIn(folder)).toBe(6);
    expect(await signedIn(folder, '--profile', 'own')).toBe(0);
    expect(await signedIn(folder, '--profile', 'own', '--for', 'https://registry.folder.example')).toBe(6);
  });

  test('a token whose scope does not allow it is refused, and kept (K25)', async () => {
    await rig.json(['token', 'create', 'ci-narrow', '--scopes', 'read', ...at]);
    const refused = await rig.run(['token', 'create', 'more', '--scopes', 'read', '--as', 'ci-narrow', ...at]);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('scope that is needed') });
    expect((await rig.run(['token', 'print', 'ci-narrow'])).code).toBe(0);
  });

  test('several tokens of two registries: each is used, shown and revoked alone (K5, K6, K9, K10, K20)', async () => {
    await using internal = await openApkg({ username: 'grace' });
    const there = [...at, '--for', internal.url];
    await rig.json(['auth', 'login', ...there, '--username', 'grace', '--stdin'], { input: 'password-EXAMPLE\n' });
    // apkg token create --label ci-deploy, and --label ci-internal --registry URL.
    await rig.json(['token', 'create', 'ci-docs', '--scopes', 'publish', ...at]);
    await rig.json(['token', 'create', 'ci-deploy', '--scopes', 'publish', ...at]);
    await rig.json(['token', 'create', 'ci-internal', '--scopes', 'publish', ...there]);
    expect(internal.active()).toMatchObject([{ name: 'ci-internal' }]);
    const value = async (label: string) => (await rig.run(['token', 'print', label])).stdout.trim();
    const publish = async (url: string, token: string) =>
      (await fetch(`${url}/packages/app`, { method: 'PUT', headers: { authorization: `Bearer ${token}` } })).status;
    const [docs, deploy, inside] = [await value('ci-docs'), await value('ci-deploy'), await value('ci-internal')];
    expect([await publish(server.url, deploy), await publish(internal.url, inside)]).toEqual([200, 200]);
    expect([await publish(internal.url, deploy), await publish(server.url, inside)]).toEqual([401, 401]);
    const namesAt = async (place: string[]) =>
      ((await rig.json(['token', 'list', '--remote', ...place]))['items'] as unknown as { name?: string }[]).flatMap(
        ({ name }) => name ?? [],
      );
    expect(await namesAt(at)).toEqual(expect.arrayContaining(['ci-docs', 'ci-deploy']));
    expect(await namesAt(there)).toEqual(['ci-internal']);
    // Who is signed in, and what is served for a registry, is the login and none of these.
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe('ada\n');
    expect((await rig.run(['auth', 'whoami', ...there])).stdout).toBe('grace\n');
    // apkg token revoke ci-deploy
    const { results } = await rig.json(['token', 'revoke', 'ci-deploy', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect([await publish(server.url, deploy), await publish(server.url, docs)]).toEqual([401, 200]);
    expect([await publish(internal.url, inside), await value('ci-docs')]).toEqual([200, docs]);
    await rig.json(['token', 'revoke', 'ci-internal', 'ci-docs', '--yes']);
    expect(internal.active()).toEqual([]);
    await rig.json(['auth', 'logout', ...there, '--yes']);
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe('ada\n');
  });

  test('apkg has nothing that refreshes (K27)', async () => {
    const { code, stderr } = await rig.run(['auth', 'refresh', ...at]);
    expect(code).toBe(11);
    expect(stderr).toContain('no call that takes one is known');
  });

  testServiceFaults(() => ({
    rig,
    standIn: server,
    service: 'apkg',
    label: 'ci-narrow',
    create: ['--scopes', 'read'],
  }));

  test('every change stands in the audit log, and no value anywhere', async () => {
    const { items } = await rig.json(['audit', 'list', '--limit', '200']);
    const actions = new Set((items as unknown as { action: string }[]).map(({ action }) => action));
    for (const action of ['login', 'create', 'revoke']) expect(actions).toContain(action);
    expect(rig.said()).not.toContain('password-EXAMPLE');
  });

  test('a login says which server it sends to where a file in the folder names it (K15)', async () => {
    const folder = join(rig.home, 'checkout');
    mkdirSync(join(folder, '.apkg'), { recursive: true });
    writeFileSync(join(folder, '.apkg/config.json'), JSON.stringify({ registry: server.url }));
    const login = ['auth', 'login', ...at, '--username', 'ada', '--stdin'];
    const wrong = await rig.run(login, { input: 'wrong-EXAMPLE\n', cwd: folder });
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr.replace(/\s+/g, ' ')).toContain(
      `for ${server.url} (apkg), as ${folder}/.apkg/config.json says`,
    );
    const named = await rig.run([...login, '--for', server.url], { input: 'wrong-EXAMPLE\n', cwd: folder });
    expect(named.stderr).not.toContain('config.json');
  });

  test('apkg logout, silent where nobody is signed in (K16)', async () => {
    const out = await rig.json(['auth', 'logout', ...at, '--yes']);
    expect(out).toMatchObject({ removed: true });
    const again = await rig.run(['auth', 'logout', ...at, '--yes']);
    expect(again.code).toBe(0);
  });
});
