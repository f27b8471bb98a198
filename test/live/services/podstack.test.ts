import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPodstack, type Podstack } from '../../fakes/services/podstack.ts';
import { testServiceFaults } from './faults.ts';
import { openRig, type Rig } from './rig.ts';

const DAY = 86_400;
const VALUE = /podstack_\w{8}_\w/;

/** What a person does on the page of tokens, signed in. */
const generate = async (server: Podstack, name: string, expiresInDays: number | null) =>
  (await (
    await fetch(`${server.url}/v1/account/api-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.session}` },
      body: JSON.stringify({ name, expiresInDays }),
    })
  ).json()) as { readonly id: string; readonly token: string };
/** What podstack does with a token. */
const pods = async (server: Podstack, token: string) =>
  (await fetch(`${server.url}/v1/pods`, { headers: { authorization: `Bearer ${token}` } })).status;

/** The commands of the seed document, each as its counterpart here. As it is built in: no call about tokens is published. */
describe('podstack, as its documents have it', () => {
  let server: Podstack;
  let rig: Rig;
  const at = ['--service', 'podstack'];

  beforeAll(async () => {
    server = await openPodstack();
    rig = await openRig('podstack');
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const environment = async (options: Record<string, string> = {}) => {
    const { stdout } = await rig.run(['env', '--shell', 'sh', ...at], { environment: options });
    const lines = stdout.split('\n').map((line) => /^export (\w+)='?([^']*)'?/.exec(line) ?? []);
    return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
  };

  test('before a login it says what to run (S6)', async () => {
    const { code, stderr } = await rig.run(['auth', 'status', ...at]);
    expect([code, stderr]).toEqual([6, expect.stringContaining('keyhold auth login --service podstack')]);
  });

  test('podstack auth login --token VALUE: never as an argument (S1, S3)', async () => {
    const { token } = await generate(server, 'laptop', null);
    const argument = await rig.run(['auth', 'login', ...at, '--token', token]);
    expect(argument.code).toBe(2);
    expect(argument.stdout + argument.stderr).not.toMatch(VALUE);
    expect((await rig.run(['auth', 'login', ...at])).code).toBe(6);
    const { signedIn } = await rig.json(['auth', 'login', ...at, '--with-token'], { input: `${token}\n` });
    expect(signedIn).toMatchObject({ host: 'api.podstack.ai', kind: 'pat', service: 'podstack', prefix: 'podstack_' });
  });

  test('the login configures the command: variables, and no file (S2, S5, S34)', async () => {
    const { PODSTACK_API_TOKEN } = await environment();
    expect(await pods(server, PODSTACK_API_TOKEN!)).toBe(200);
    for (const shell of ['powershell', 'cmd', 'fish']) {
      const { stdout } = await rig.run(['env', '--shell', shell, ...at]);
      expect(stdout).toContain('PODSTACK_API_TOKEN');
    }
  });

  test('the token opens JupyterHub too, by its own scheme (S36)', async () => {
    const { PODSTACK_API_TOKEN } = await environment();
    const authorization = `token ${PODSTACK_API_TOKEN}`;
    expect((await fetch(`${server.url}/hub/api/user`, { headers: { authorization } })).status).toBe(200);
  });

  test('profiles bundle token, project and endpoint; podstack project use (S9–S12)', async () => {
    await using office = await openPodstack();
    const { token } = await generate(office, 'work', 30);
    await rig.json(['profile', 'set', 'endpoint.podstack', 'https://api.work.podstack.ai', '--profile', 'work']);
    await rig.json(['profile', 'set', 'project.podstack', 'work-project', '--profile', 'work']);
    await rig.json(['auth', 'login', ...at, '--with-token', '--profile', 'work'], { input: token });
    const work = await environment({ KEYHOLD_PROFILE: 'work' });
    expect(work).toMatchObject({
      PODSTACK_API_ENDPOINT: 'https://api.work.podstack.ai',
      PODSTACK_PROJECT: 'work-project',
      PODSTACK_API_TOKEN: token,
    });
    const other = await environment();
    expect(other['PODSTACK_API_TOKEN']).not.toBe(token);
    expect(other['PODSTACK_PROJECT']).toBeUndefined();
    await rig.json(['profile', 'use', 'work']);
    expect((await environment())['PODSTACK_API_TOKEN']).toBe(token);
    expect((await rig.run(['profile', 'show'])).stdout).toContain('work-project');
    await rig.json(['profile', 'use', '--none']);
  });

  test('token create: which lifetimes there are is told before anybody goes to the page (S4, S27)', async () => {
    const wrong = await rig.run(['token', 'create', 'ci-deploy', '--expires-in', '14d', ...at], { input: 'x-EXAMPLE' });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('7d, 30d, 90d, 180d, 365d, never') });
    const { token } = await generate(server, 'ci-deploy', 7);
    const made = await rig.run(['token', 'create', 'ci-deploy', '--expires-in', '7d', ...at], { input: token });
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('on its account page only') });
    const { expiresAt } = await rig.json(['token', 'show', 'ci-deploy']);
    expect(Number(expiresAt) - Date.now() / 1_000).toBeGreaterThan(6.9 * DAY);
  });

  test('what is near its end, or has none, is told (S23, S37)', async () => {
    const { items } = await rig.json(['token', 'list', '--due']);
    expect(items).toContainEqual(expect.objectContaining({ label: 'ci-deploy', reasons: ['expires in 6 days'] }));
    expect(items).toContainEqual(expect.objectContaining({ reasons: ['never expires'] }));
  });

  test('five active tokens and no sixth (S28)', async () => {
    for (const name of ['ci-test', 'ci-build', 'ci-release']) {
      const made = await rig.run(['token', 'create', name, ...at], { input: (await generate(server, name, 90)).token });
      expect(made.code).toBe(0);
    }
    expect(server.active()).toHaveLength(5);
    expect(await generate(server, 'ci-more', 90)).toMatchObject({ error: { code: 'token_limit_reached' } });
    const sixth = await rig.run(['token', 'create', 'ci-more', ...at], { input: 'podstack_never-read_EXAMPLE' });
    expect(sixth).toMatchObject({ code: 9, stderr: expect.stringContaining('allows 5 active tokens') });
  });

  test('whoami, token-info, refresh and revoke have no published call: 11, and what to do instead (S7, S14–S16)', async () => {
    for (const verb of ['whoami', 'refresh', 'revoke']) {
      const ended = await rig.run(['auth', verb, ...(verb === 'revoke' ? ['--yes'] : []), ...at]);
      expect([verb, ended.code]).toEqual([verb, 11]);
      expect(ended.stdout + ended.stderr).toMatch(/account page|podstack auth whoami/);
    }
    // What is known here is told all the same.
    expect((await rig.json(['auth', 'token-info', ...at]))['kind']).toBe('pat');
  });

  test('podstack auth logout: removed here and from the file of podstack (S8, S13, S21)', async () => {
    const file = join(rig.home, '.podstack/config.yaml');
    mkdirSync(join(rig.home, '.podstack'));
    const { PODSTACK_API_TOKEN: token } = await environment();
    const config = `auth:\n  token: ${token}\n  expires: 2030-12-31T00:00:00Z\nprofiles:\n  work:\n    token: podstack_abcdefgh_another-EXAMPLE\ndefaults:\n  project: my-project\n`;
    writeFileSync(file, config, { mode: 0o600 });
    const out = await rig.json(['auth', 'logout', '--yes', ...at]);
    expect(out).toMatchObject({ removed: true, cleared: [file] });
    expect(readFileSync(file, 'utf8')).not.toContain(token);
    for (const kept of ['my-project', 'another-EXAMPLE']) expect(readFileSync(file, 'utf8')).toContain(kept);
  });
});

/** The calls behind `podstack auth` and the page, as the stand-in has them: what the verbs do where a manifest knows them. */
const CALLS = `
kinds:
  - name: pat
    title: API token
    format: { prefixes: [podstack_], alphabet: visible }
    lifetimes: { allowed: [7d, 30d, 90d, 180d, 365d, never], default: 90d }
  - { name: session, title: session of the page, format: { prefixes: [session-] } }
rest:
  base: "{origin}/v1"
  create:
    method: POST
    path: /account/api-tokens
    kinds: [session]
    body: { name: "{name}", expiresInDays: "{lifetime.days}", scopes: "{scopes}" }
    fields: { id: /id, name: /name, value: /token, createdAt: /createdAt, expiresAt: /expiresAt, scopes: /scopes }
  list:
    method: GET
    path: /account/api-tokens
    kinds: [session]
    items: /tokens
    fields: { id: /id, name: /name, prefix: /prefix, createdAt: /createdAt, expiresAt: /expiresAt, lastUsedAt: /lastUsed }
  revoke: { method: DELETE, path: "/account/api-tokens/{id}", kinds: [session] }
  revokeSelf: { method: POST, path: /auth/revoke, kinds: [pat] }
  refresh:
    method: POST
    path: /auth/refresh
    kinds: [pat]
    fields: { value: /token, expiresAt: /expiresAt }
  whoami:
    method: GET
    path: /auth/whoami
    kinds: [pat]
    fields: { user: /email, account: /accountId, expiresAt: /expiresAt }
  introspect:
    method: GET
    path: /auth/token-info
    kinds: [pat]
    fields: { name: /name, prefix: /prefix, scopes: /scopes, createdAt: /createdAt, expiresAt: /expiresAt, lastUsedAt: /lastUsed }
  audit:
    method: GET
    path: /account/audit-logs
    kinds: [session]
    items: /entries
    fields: { id: /resource, action: /action, at: /timestamp, user: /user }
`;

describe('podstack, with the calls behind its commands', () => {
  let server: Podstack;
  let rig: Rig;
  let now: number;
  const at = ['--service', 'podstack'];

  beforeAll(async () => {
    now = Math.floor(Date.now() / 1_000);
    server = await openPodstack({ clock: { now: () => now } });
    rig = await openRig('podstack', server, CALLS);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const current = async () => (await rig.run(['token', 'print', 'laptop'])).stdout.trim();

  test('a login is tried at once: what the service does not take is not kept (S23, S24)', async () => {
    const unknown = await rig.run(['auth', 'login', ...at, '--with-token'], { input: 'podstack_unknown0_EXAMPLE' });
    expect(unknown).toMatchObject({ code: 6, stderr: expect.stringContaining('mistyped, or it was revoked') });
    const { token } = await generate(server, 'old', 7);
    now += 7 * DAY;
    const expired = await rig.run(['auth', 'login', ...at, '--with-token'], { input: token });
    expect(expired).toMatchObject({ code: 7, stderr: expect.stringContaining('past its expiry') });
    now -= 7 * DAY;
    expect((await rig.json(['token', 'list']))['items']).toEqual([]);
  });

  test('podstack auth status and whoami: who, and until when (S6, S7)', async () => {
    const { token } = await generate(server, 'laptop', 30);
    const login = ['auth', 'login', ...at, '--with-token', '--label', 'laptop'];
    const { signedIn } = await rig.json(login, { input: token });
    expect(signedIn).toMatchObject({ account: 'ada@podstack.example', expiresAt: now + 30 * DAY });
    const { stdout } = await rig.run(['auth', 'status', ...at]);
    expect(stdout).toMatch(/^account +ada@podstack\.example$/m);
    expect(stdout).toMatch(/^expires +20\d\d-/m);
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe('ada@podstack.example\n');
    expect(await rig.json(['auth', 'whoami', ...at])).toMatchObject({ account: 'acc_123456' });
  });

  test('only a refusal keeps the old token; without an answer a login stops, and token set keeps the new one unverified', async () => {
    const good = await current();
    const login = ['auth', 'login', ...at, '--with-token', '--label', 'laptop'];
    const set = (label: string) => ['token', 'set', '--for', server.url, ...at, '--label', label, '--yes'];
    for (const command of [login, set('laptop')]) {
      const refused = await rig.run(command, { input: 'podstack_unknown0_EXAMPLE' });
      expect(refused).toMatchObject({
        code: 6,
        stdout: '',
        stderr: expect.stringContaining('mistyped, or it was revoked'),
      });
      expect(await current()).toBe(good);
    }
    const { token } = await generate(server, 'other', 30);
    for (const status of [429, 500, 'timeout'] as const) {
      server.fail(status, { times: 1 });
      const stopped = await rig.run(login, { input: token });
      expect([status, stopped.code, stopped.stdout]).toEqual([status, 10, '']);
      expect(stopped.stderr).toContain('--no-verify');
      expect(await current()).toBe(good);
    }
    server.fail(500, { times: 1 });
    const kept = await rig.run(set('kept'), { input: token });
    expect(kept).toMatchObject({ code: 0, stderr: expect.stringContaining('not verified') });
    expect(await rig.json(['token', 'show', 'kept'])).toMatchObject({ unverified: expect.any(String), made: 'set' });
    // The service's next word on it takes the mark away.
    await rig.run(['token', 'show', 'kept', '--remote']);
    expect((await rig.json(['token', 'show', 'kept']))['unverified']).toBeUndefined();
    const before = server.requests.length;
    expect((await rig.run([...set('kept'), '--no-verify'], { input: 'podstack_unknown0_EXAMPLE' })).code).toBe(0);
    expect(server.requests).toHaveLength(before);
    await rig.json(['token', 'set', '--for', server.url, ...at, '--label', 'kept', '--yes'], { input: token });
    await rig.json(['token', 'revoke', 'kept', '--yes']);
  });

  test('a login does not take the place of a token that was set by hand, unasked', async () => {
    const { token } = await generate(server, 'by-hand', 30);
    const place = ['--for', server.url, ...at, '--username', 'ada'];
    await rig.json(['token', 'set', ...place], { input: token });
    const { token: other } = await generate(server, 'login', 30);
    const login = ['auth', 'login', ...place, '--with-token'];
    const asked = await rig.run(login, { input: other });
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    expect((await rig.run(['token', 'print', 'ada'])).stdout.trim()).toBe(token);
    expect((await rig.run([...login, '--yes'], { input: other })).code).toBe(0);
    await rig.json(['token', 'revoke', 'ada', '--yes']);
    await rig.json(['token', 'set', ...place], { input: token });
    await rig.json(['token', 'revoke', 'ada', '--yes']);
  });

  test('podstack auth token-info: prefix, scopes, dates and last use, never the value (S14, S26)', async () => {
    const { stdout } = await rig.run(['auth', 'token-info', '--json', ...at]);
    const { remote } = JSON.parse(stdout);
    expect(remote.introspect).toMatchObject({ scopes: ['*'], prefix: expect.any(String), lastUsedAt: now });
    expect(stdout).not.toMatch(VALUE);
  });

  test('podstack auth refresh: a new value and life under the same label; the old one is dead (S15)', async () => {
    const old = await current();
    now += 10 * DAY;
    const { expiresAt } = await rig.json(['auth', 'refresh', ...at]);
    expect(expiresAt).toBe(now + 30 * DAY);
    const fresh = await current();
    expect(fresh).not.toBe(old);
    expect([await pods(server, old), await pods(server, fresh)]).toEqual([401, 200]);
  });

  test('the page: created, listed with prefix and dates, five at most, and revoked at once (S26–S28, S30)', async () => {
    await rig.json(['token', 'set', '--for', server.url, ...at, '--kind', 'session', '--label', 'page'], {
      input: server.session,
    });
    for (const name of ['ci-deploy', 'ci-build', 'ci-test', 'ci-lint']) {
      const { created } = await rig.json(['token', 'create', name, '--expires-in', '90d', ...at]);
      expect(created).toMatchObject({ label: name, expiresAt: now + 90 * DAY });
    }
    const { items, active, limit } = await rig.json(['token', 'list', '--remote', ...at]);
    expect([active, limit]).toEqual([5, 5]);
    expect(items).toContainEqual(
      expect.objectContaining({
        name: 'ci-deploy',
        state: 'both',
        prefix: expect.any(String),
        expiresAt: now + 90 * DAY,
      }),
    );
    const before = server.requests.filter(({ method }) => method === 'POST').length;
    const sixth = await rig.run(['token', 'create', 'ci-sixth', ...at]);
    expect(sixth).toMatchObject({
      code: 9,
      stderr: expect.stringContaining('allows 5 active tokens, and there are 5'),
    });
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(before);
    const asked = await rig.run(['token', 'revoke', 'ci-deploy']);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    const value = (await rig.run(['token', 'print', 'ci-deploy'])).stdout.trim();
    const { results } = await rig.json(['token', 'revoke', 'ci-deploy', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect(await pods(server, value)).toBe(401);
    const never = await rig.run(['token', 'create', 'ci-forever', '--expires-in', 'never', ...at]);
    expect(never).toMatchObject({ code: 0, stderr: expect.stringContaining('never') });
    await rig.json(['token', 'revoke', 'ci-forever', '--yes']);
  });

  test('the page of what happened in the account (S35, G23)', async () => {
    const { items } = await rig.json(['audit', 'list', '--remote', ...at, '--username', 'page']);
    expect(items).toContainEqual(expect.objectContaining({ action: 'Token Revoked', user: 'ada@podstack.example' }));
    const { stdout } = await rig.run(['audit', 'list', '--remote', ...at, '--username', 'page', '--limit', '3'], {
      environment: { COLUMNS: '80' },
    });
    expect(stdout).toMatch(/^TIME +ACTION +BY +ABOUT\n/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const unfit = await rig.run(['audit', 'list', '--remote', ...at, '--tool', 'git']);
    expect(unfit.code).toBe(2);
  });

  testServiceFaults(
    () => ({ rig, standIn: server, service: 'podstack', label: 'ci-build', create: ['--expires-in', '90d'] }),
    [401, 402, 403, 429, 500],
  );

  test('403 is no reason to lose a token (S25)', async () => {
    server.fail(403, { times: 1 });
    const { code, stderr } = await rig.run(['token', 'show', 'laptop', '--remote']);
    expect([code, stderr]).toEqual([5, expect.stringContaining('no access to the project; it is kept')]);
    expect(await pods(server, await current())).toBe(200);
  });

  test('podstack auth revoke: the current token, which then has to be made anew; the others live on (S16, S30)', async () => {
    const value = await current();
    const others = await Promise.all(
      ['ci-build', 'ci-test'].map(async (label) => (await rig.run(['token', 'print', label])).stdout.trim()),
    );
    const asked = await rig.run(['auth', 'revoke', ...at, '--username', 'laptop']);
    expect(asked.code).toBe(6);
    const { stdout } = await rig.run(['auth', 'revoke', '--yes', ...at, '--username', 'laptop']);
    expect(stdout).toContain('To sign in again: keyhold auth login');
    expect(await pods(server, value)).toBe(401);
    for (const other of others) expect(await pods(server, other)).toBe(200);
    expect((await rig.run(['token', 'print', 'ci-build'])).stdout).toBe(`${others[0]}\n`);
    const again = await rig.run(['auth', 'login', ...at, '--with-token'], { input: value });
    expect(again.code).toBe(8);
  });

  test('no value in any record', async () => {
    const audited = JSON.stringify(await rig.json(['audit', 'list', '--limit', '500']));
    expect(`${audited}${rig.agent.log()}`).not.toMatch(VALUE);
  });
});
