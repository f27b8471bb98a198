import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPangolin, type Pangolin } from '../../fakes/services/pangolin.ts';
import type { PangolinUser } from '../../fakes/services/pangolin-session.ts';
import { testServiceFaults } from './faults.ts';
import { openRig, type Rig } from './rig.ts';

const JWT = /eyJ[\w-]+\.[\w-]+\.[\w-]+/;

/** The commands of the seed document, each as its counterpart here. The service is as it is built in, at an address of one's own. */
describe('pangolin', () => {
  let server: Pangolin;
  let rig: Rig;
  let now: number;
  const at = ['--service', 'pangolin'];

  beforeAll(async () => {
    now = Math.floor(Date.now() / 1_000);
    server = await openPangolin({ clock: { now: () => now } });
    rig = await openRig('pangolin', undefined, '', true);
    await rig.json(['profile', 'set', 'endpoint.pangolin', server.url, '--profile', 'here']);
    await rig.json(['profile', 'set', 'tenant.pangolin', server.tenant, '--profile', 'here']);
    await rig.json(['profile', 'use', 'here']);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** A login of somebody elsewhere: another device, which nobody here holds. */
  const elsewhere = async ({ username, password, tenant }: PangolinUser) => {
    const body = JSON.stringify({ username, password, 'tenant-id': tenant });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/api/v1/users/login`, { method: 'POST', headers, body });
    const { token } = (await answer.json()) as { token: string };
    return { token, id: claimsOf(token)['jti'] as string };
  };
  /** A token that an administrator creates elsewhere for a user, which nobody here holds; unlike a login it is listed. */
  const createdElsewhere = async ({ username }: PangolinUser) => {
    const { token: admin } = await elsewhere(server.users.admin);
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${admin}` };
    const body = JSON.stringify({ tenant_id: server.tenant, username });
    const answer = await fetch(`${server.url}/api/v1/tokens`, { method: 'POST', headers, body });
    const { token } = (await answer.json()) as { token: string };
    return { token, id: claimsOf(token)['jti'] as string };
  };
  const login = (user: PangolinUser, password = user.password) =>
    rig.run(['auth', 'login', ...at, '--username', user.username, '--stdin', '--json'], {
      input: `${password}\n`,
    });
  const opens = async (token: string, header = 'authorization') =>
    (
      await fetch(`${server.url}/api/v1/users/me`, {
        headers: { [header]: header === 'authorization' ? `Bearer ${token}` : token },
      })
    ).status;
  const printed = async (...args: string[]) => (await rig.run(['token', 'print', ...args])).stdout.trim();

  test('401: before a login it says what to run (G14)', async () => {
    for (const verb of [
      ['token', 'list', '--remote'],
      ['auth', 'revoke', '--yes'],
      ['auth', 'whoami'],
      ['token', 'create', 'ci-load'],
    ]) {
      const { code, stderr } = await rig.run([...verb, ...at]);
      expect([verb, code]).toEqual([verb, 6]);
      expect(stderr).toContain('keyhold auth login');
    }
  });

  test('pangolin-admin login --username --password: the password is no argument (G10, G12, G17, G26)', async () => {
    const { user } = server.users;
    const wrong = await login(user, 'wrong-EXAMPLE');
    expect(wrong).toMatchObject({ code: 5, stderr: expect.stringContaining('user, password or tenant is wrong') });
    const argument = await rig.run(['auth', 'login', ...at, '--username', 'ada', '--password', user.password]);
    expect(argument.code).toBe(2);
    expect(argument.stdout + argument.stderr).not.toContain(user.password);
    const { signedIn } = JSON.parse((await login(user)).stdout);
    expect(signedIn).toMatchObject({ account: 'ada', kind: 'session', tenant: server.tenant });
    expect(signedIn.expiresAt).toBe(now + 86_400);
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe('ada\n');
    const sent = server.requests.filter(({ path }) => path === '/api/v1/users/login').at(-1)!;
    expect(JSON.parse(sent.body)).toMatchObject({ 'tenant-id': server.tenant });
    const other = await rig.run(['auth', 'login', ...at, '--username', 'ada', '--tenant', 'another', '--stdin'], {
      input: user.password,
    });
    expect(other.code).toBe(5);
    const claims = claimsOf(await printed('ada'));
    expect(signedIn.tokenId).toBe(claims['jti']);
  });

  test("403: only an administrator lists and revokes others' tokens, and nothing was changed (G15)", async () => {
    const other = await elsewhere(server.users.admin);
    const listed = await rig.run(['token', 'list', '--remote', '--user', server.users.admin.id, ...at]);
    expect(listed).toMatchObject({ code: 5, stderr: expect.stringContaining('only an administrator may list') });
    const revoked = await rig.run(['token', 'revoke', other.id, '--yes', ...at]);
    expect(revoked.code).toBe(5);
    expect(revoked.stdout + revoked.stderr).toContain("only an administrator may revoke another user's token");
    expect(await opens(other.token)).toBe(200);
    expect((await rig.json(['token', 'list']))['items']).toHaveLength(1);
    const made = await rig.run(['token', 'create', 'ci-load', '--kind', 'service-key', ...at]);
    expect(made.code).toBe(5);
    const created = await rig.run(['token', 'create', 'ci-load', ...at]);
    expect(created).toMatchObject({ code: 5, stderr: expect.stringContaining('only an administrator may create') });
  });

  test("list: one's own tokens by their real ids, and no value though the answer holds them all (G11, G30)", async () => {
    const laptop = await createdElsewhere(server.users.user);
    const { stdout } = await rig.run(['token', 'list', '--remote', '--json', ...at]);
    const { items } = JSON.parse(stdout);
    expect(items).toHaveLength(2);
    // A login is in no list there.
    expect(items).toContainEqual(expect.objectContaining({ state: 'local', username: 'ada' }));
    expect(items).toContainEqual(expect.objectContaining({ state: 'server', tokenId: laptop.id }));
    expect(stdout).not.toMatch(JWT);
    expect(server.requests.filter(({ path }) => path === '/api/v1/users/me/tokens')).not.toEqual([]);
  });

  test('an administrator signs in beside: revoke-token-by-id --id UUID (G4, G5, G7, G16)', async () => {
    expect((await login(server.users.admin)).code).toBe(0);
    const stolen = await elsewhere(server.users.user);
    const asked = await rig.run(['token', 'revoke', stolen.id, ...at, '--as', 'tess']);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    const { stdout } = await rig.run(['token', 'revoke', stolen.id, '--yes', ...at, '--as', 'tess']);
    expect(stdout).toContain(`Revoked ${stolen.id}`);
    expect(await opens(stolen.token)).toBe(401);
    // The server confirms a second time, and any other UUID: a person is told to look.
    for (const id of [stolen.id, '00000000-0000-0000-0000-000000000001']) {
      const again = await rig.run(['token', 'revoke', id, '--yes', ...at, '--as', 'tess']);
      expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`Revoked ${id}`) });
      expect(again.stdout).toContain('No list shows it');
    }
    const listed = await createdElsewhere(server.users.admin);
    const known = await rig.run(['token', 'revoke', listed.id, '--yes', ...at, '--as', 'tess']);
    expect(known.stdout).not.toContain('No list shows it');
    expect(await opens(listed.token)).toBe(401);
  });

  test('what an administrator revokes may come back after a day: it says when to look again (G29)', async () => {
    const one = await elsewhere(server.users.user);
    const { results } = await rig.json(['token', 'revoke', one.id, '--yes', ...at, '--as', 'tess']);
    expect(results).toMatchObject([{ recheck: ['24h', '7d', '30d'], note: expect.stringContaining('may come back') }]);
  });

  test('list-user-tokens --user-id, and all created tokens of a user at once; the login lives on (G6, G8)', async () => {
    const [one, other] = [await createdElsewhere(server.users.user), await createdElsewhere(server.users.user)];
    const user = ['--user', server.users.user.id];
    const { stdout } = await rig.run(['token', 'list', '--remote', ...user, ...at], { environment: { COLUMNS: '80' } });
    expect(stdout).toContain(one.id.slice(0, 8));
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const before = await rig.json(['token', 'list', '--remote', ...user, ...at]);
    const count = (before['items'] as unknown as object[]).length;
    expect(count).toBeGreaterThanOrEqual(3);
    const { results } = await rig.json(['token', 'revoke', '--all', ...user, '--yes', ...at, '--as', 'tess']);
    expect(results).toHaveLength(count);
    expect([await opens(one.token), await opens(other.token), await opens(await printed('ada'))]).toEqual([
      401, 401, 200,
    ]);
    expect((await rig.json(['token', 'list', '--remote', ...user, ...at]))['items']).toEqual([]);
    expect((await rig.run(['auth', 'whoami', '--username', 'tess', ...at])).stdout).toBe('tess\n');
  });

  test('a token that was revoked elsewhere is told apart from one that is wrong (G14, G16)', async () => {
    const { token: admin } = await elsewhere(server.users.admin);
    await fetch(`${server.url}/api/v1/auth/revoke/${claimsOf(await printed('ada'))['jti']}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: '{}',
    });
    const { code, stderr } = await rig.run(['auth', 'whoami', '--username', 'ada', ...at]);
    expect([code, stderr]).toEqual([8, expect.stringContaining('the token was revoked; sign in again')]);
    const { results } = await rig.json(['token', 'revoke', 'ada', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'gone', probe: expect.any(String) }]);
  });

  test('get-token --expires-in 90: hours where the service counts them, and a year at most (G25)', async () => {
    const { created } = await rig.json(['token', 'create', 'etl-nightly', '--expires-in', '90d', ...at]);
    expect(created).toMatchObject({ label: 'etl-nightly', tenant: server.tenant, expiresAt: now + 90 * 86_400 });
    const value = await printed('etl-nightly');
    expect(created).toMatchObject({ tokenId: claimsOf(value)['jti'] });
    expect(await opens(value)).toBe(200);
    const long = await rig.run(['token', 'create', 'too-long', '--expires-in', '400d', ...at]);
    expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining('8760h') });
    const { results } = await rig.json(['token', 'revoke', 'etl-nightly', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect(await opens(value)).toBe(401);
  });

  test('service users: create, list, show and delete; the key goes its own way (G18, G19)', async () => {
    const as = ['--as', 'tess'];
    const key = ['--kind', 'service-key'];
    const made = await rig.run([
      'token',
      'create',
      'etl-loader',
      ...key,
      '--expires-in',
      '30d',
      '--json',
      ...as,
      ...at,
    ]);
    expect(JSON.parse(made.stdout).created).toMatchObject({
      label: 'etl-loader',
      kind: 'service-key',
      prefix: 'pgl_',
      expiresAt: now + 30 * 86_400,
    });
    expect(made.stdout).not.toMatch(/pgl_\w/);
    const value = await printed('etl-loader');
    expect([await opens(value, 'x-api-key'), await opens(value)]).toEqual([200, 401]);
    expect((await rig.run(['auth', 'whoami', ...at, '--username', 'etl-loader'])).stdout).toBe('etl-loader\n');
    const { items } = await rig.json(['token', 'list', '--remote', ...key, ...at]);
    expect(items).toMatchObject([{ name: 'etl-loader', state: 'both', lastUsedAt: expect.any(Number) }]);
    const shown = await rig.json(['token', 'show', 'etl-loader', '--remote']);
    expect(shown['remote']).toMatchObject({ show: { name: 'etl-loader' } });
    const { results } = await rig.json(['token', 'revoke', 'etl-loader', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect(await opens(value, 'x-api-key')).toBe(401);
  });

  test('a pasted service key: its id is learnt from the server, and that key alone is revoked (G18)', async () => {
    const headers = {
      authorization: `Bearer ${(await elsewhere(server.users.admin)).token}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ name: 'pasted-robot', role: 'tenant-user' });
    const made = await fetch(`${server.url}/api/v1/service-users`, { method: 'POST', headers, body });
    const { id, api_key: value } = (await made.json()) as { id: string; api_key: string };
    const set = await rig.run(['token', 'set', '--for', server.url, ...at, '--label', 'robot', '--json'], {
      input: `${value}\n`,
    });
    expect(set.code).toBe(0);
    const { items } = await rig.json(['token', 'list', '--remote', '--kind', 'service-key', ...at]);
    expect(items).toContainEqual(expect.objectContaining({ tokenId: id, state: 'both', label: 'robot' }));
    const { results } = await rig.json(['token', 'revoke', 'robot', '--yes', '--as', 'tess']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect(await opens(value, 'x-api-key')).toBe(401);
  });

  test('two service keys of one server: each its own, and the end of one leaves the other (G13, G18, G19)', async () => {
    const key = ['--kind', 'service-key', '--as', 'tess'];
    const ids: string[] = [];
    for (const name of ['etl-first', 'etl-second']) {
      const { created } = await rig.json(['token', 'create', name, ...key, ...at]);
      ids.push((created as unknown as { tokenId: string }).tokenId);
    }
    const listed = await fetch(`${server.url}/api/v1/service-users`, {
      headers: { authorization: `Bearer ${(await elsewhere(server.users.admin)).token}` },
    });
    expect(((await listed.json()) as { id: string }[]).map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    const [first, second] = [await printed('etl-first'), await printed('etl-second')];
    const { stdout } = await rig.run(['token', 'list', '--remote', '--kind', 'service-key', '--json', ...at]);
    // The answer holds a hash of each key.
    expect(stdout).not.toMatch(/\$2b\$/);
    expect(await rig.json(['token', 'rotate', 'etl-first', '--yes'])).toMatchObject({ step: 'done', probe: 'dead' });
    const rotated = await printed('etl-first');
    expect([await opens(first, 'x-api-key'), await opens(rotated, 'x-api-key')]).toEqual([401, 200]);
    expect(await printed('etl-second')).toBe(second);
    const { results } = await rig.json(['token', 'revoke', 'etl-first', '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
    expect([await opens(rotated, 'x-api-key'), await opens(second, 'x-api-key')]).toEqual([401, 200]);
    await rig.json(['token', 'revoke', 'etl-second', '--yes']);
  });

  test("client credentials: out of a service user's key, tokens of one hour (G27)", async () => {
    const key = ['--kind', 'service-key', '--as', 'tess'];
    const { created } = await rig.json(['token', 'create', 'etl-hourly', ...key, ...at]);
    const { tokenId } = created as unknown as { tokenId: string };
    const input = await printed('etl-hourly');
    const client = ['--way', 'client', '--client-id', tokenId, '--label', 'hourly', '--stdin'];
    const { signedIn } = await rig.json(['auth', 'login', ...at, ...client], { input });
    expect(Number((signedIn as unknown as { expiresAt: number }).expiresAt) - now).toBeGreaterThan(3_500);
    expect(Number((signedIn as unknown as { expiresAt: number }).expiresAt) - now).toBeLessThanOrEqual(3_700);
    const hourly = await printed('hourly');
    expect(claimsOf(hourly)).toMatchObject({ username: 'etl-hourly' });
    expect(await opens(hourly)).toBe(200);
    await rig.json(['token', 'remove', 'hourly', '--yes']);
    await rig.json(['token', 'revoke', 'etl-hourly', '--yes']);
  });

  test('what is due for rotation is told: a key of 30 days before its end (G9, G18)', async () => {
    const key = ['--kind', 'service-key', '--expires-in', '10d'];
    await rig.json(['token', 'create', 'etl-weekly', ...key, '--as', 'tess', ...at]);
    const { items } = await rig.json(['token', 'list', '--due']);
    expect(items).toContainEqual(
      expect.objectContaining({ label: 'etl-weekly', reasons: expect.arrayContaining(['expires in 9 days']) }),
    );
    await rig.json(['token', 'revoke', 'etl-weekly', '--yes']);
  });

  testServiceFaults(
    () => ({ rig, standIn: server, service: 'pangolin', label: 'tess', create: ['--expires-in', '24h'] }),
    [401, 403, 404, 429, 500, 'half-a-body', 'html', 'redirect'],
  );

  test('revoke-token: the current token dies, there and here, and does not come back (G1, G2, G3)', async () => {
    // A revocation whose answer was lost has happened there, in the tests above.
    await login(server.users.admin);
    const token = await printed('tess');
    const asked = await rig.run(['auth', 'revoke', ...at]);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    expect(await opens(token)).toBe(200);
    const { code, stdout } = await rig.run(['auth', 'revoke', '--yes', ...at]);
    expect(code).toBe(0);
    expect(stdout).toContain('Revoked tess; a probe shows that it is dead.');
    expect(stdout).toContain('To sign in again: keyhold auth login');
    expect(await opens(token)).toBe(401);
    const get = await rig.run(['get'], { input: `protocol=http\nhost=${new URL(server.url).host}\nusername=tess\n\n` });
    expect(get.code).toBe(8);
    const set = await rig.run(['token', 'set', '--for', server.url, ...at, '--username', 'tess'], { input: token });
    expect(set.code).toBe(8);
    expect((await rig.run(['auth', 'revoke', '--yes', ...at])).code).toBe(6);
  });

  test('auth switch changes who acts: in status, whoami, create, explain and get', async () => {
    const { admin, user } = server.users;
    await login(admin);
    await login(user);
    const host = new URL(server.url).host;
    const session = { [admin.username]: await printed(admin.username), [user.username]: await printed(user.username) };
    const asked = async () => {
      const [{ account }] = (await rig.json(['auth', 'status', ...at]))['accounts'] as unknown as [{ account: string }];
      const whoami = (await rig.run(['auth', 'whoami', ...at])).stdout.trim();
      const { candidates } = await rig.json(['token', 'explain', '--for', server.url]);
      const [first] = candidates as unknown as [{ username: string }];
      const got = await rig.run(['get'], { input: `protocol=http\nhost=${host}\n\n` });
      const value = /^password=(.*)$/m.exec(got.stdout)?.[1];
      const served = Object.keys(session).find((name) => session[name] === value);
      // Whether it may create at all is the server's to say: an administrator may, and tess may not.
      const created = await rig.run(['token', 'create', `switched-${account}`, ...at]);
      return { account, whoami, explained: first.username, served, mayCreate: created.code === 0 };
    };
    const all = (name: string, mayCreate: boolean) => ({
      ...{ account: name, whoami: name, explained: name, served: name, mayCreate },
    });
    expect(await asked()).toEqual(all(user.username, false));
    const toggled = await rig.json(['auth', 'switch', ...at]);
    expect(toggled).toMatchObject({ account: admin.username, before: user.username });
    expect(await asked()).toEqual(all(admin.username, true));
    expect((await rig.run(['auth', 'switch', 'eve', ...at])).stderr).toMatch(/the accounts are .*pangolin/);
    await rig.json(['auth', 'switch', user.username, ...at]);
    expect(await asked()).toEqual(all(user.username, false));
    await rig.json(['auth', 'switch', admin.username, ...at]);
    await rig.json(['token', 'revoke', `switched-${admin.username}`, '--yes']);
    await rig.json(['profile', 'set', `account.${host}`, '', '--profile', String(toggled['profile'])]);
    for (const { username } of [admin, user]) await rig.run(['auth', 'logout', '--yes', '--username', username, ...at]);
  });

  test('a login acts, whatever was created since; created tokens are never who is signed in', async () => {
    const { admin } = server.users;
    expect((await login(admin)).code).toBe(0);
    for (const name of ['laptop-tool', 'ci-deploy']) {
      const { created } = await rig.json(['token', 'create', name, ...at]);
      expect(created).toMatchObject({ label: name, made: 'created' });
      const sent = server.requests.filter(({ method, path }) => method === 'POST' && path === '/api/v1/tokens').at(-1)!;
      expect(JSON.parse(sent.body)).toMatchObject({ username: admin.username });
    }
    expect((await rig.json(['auth', 'status', ...at]))['accounts']).toMatchObject([{ account: admin.username }]);
    expect((await rig.run(['auth', 'whoami', ...at])).stdout).toBe(`${admin.username}\n`);
    // An administrator's verb, without a profile's account and with it.
    expect((await rig.run(['token', 'list', '--remote', '--user', server.users.user.id, ...at])).code).toBe(0);
    const ci = await printed('ci-deploy');
    // The same name again: the value that is held would be gone here and alive there.
    const posts = () =>
      server.requests.filter(({ path, method }) => method === 'POST' && path === '/api/v1/tokens').length;
    const before = posts();
    const twice = await rig.run(['token', 'create', 'ci-deploy', ...at]);
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('keyhold token rotate') });
    expect([posts(), await printed('ci-deploy')]).toEqual([before, ci]);
    const session = await printed(admin.username);
    expect(await printed('--for', server.url)).toBe(session);
    const revoked = await rig.json(['auth', 'revoke', '--yes', ...at]);
    expect(revoked).toMatchObject({ results: [{ exitCode: 0, upstream: 'revoked' }] });
    expect([await opens(session), await opens(ci)]).toEqual([401, 200]);
    // Nobody is signed in now: a created token does not stand in.
    expect((await rig.run(['auth', 'status', ...at])).code).toBe(6);
    const more = await rig.run(['token', 'create', 'ci-third', ...at]);
    expect(more).toMatchObject({ code: 6, stderr: expect.stringContaining('keyhold auth login') });
    expect((await login(admin)).code).toBe(0);
    for (const name of ['laptop-tool', 'ci-deploy']) await rig.json(['token', 'revoke', name, '--yes']);
    expect(await opens(ci)).toBe(401);
    await rig.json(['auth', 'revoke', '--yes', ...at]);
  });

  test('work, then log out: the token dies, and the file of pangolin-admin is cleared (G10, G20, G24)', async () => {
    const { user } = server.users;
    await login(user);
    const token = await printed('ada');
    const file = join(rig.home, '.config/pangolin/cli/config.json');
    mkdirSync(join(file, '..'), { recursive: true });
    const vendor = { base_url: server.url, username: 'ada', tenant_id: server.tenant, auth_token: token };
    writeFileSync(file, JSON.stringify(vendor), { mode: 0o600 });
    const asked = await rig.run(['auth', 'logout', ...at]);
    expect(asked.code).toBe(6);
    expect(asked.stdout.replace(/\s+/g, ' ')).toContain(`To be taken out of ${file}: auth_token, `);
    const out = await rig.json(['auth', 'logout', '--yes', ...at]);
    expect(out).toMatchObject({ revoked: true, removed: true, cleared: [file] });
    expect(await opens(token)).toBe(401);
    expect(readFileSync(file, 'utf8')).not.toContain(token);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ base_url: server.url });
    expect((await rig.run(['auth', 'logout', '--yes', ...at])).code).toBe(0);
  });

  test("the server's own record, for who may read it (G23)", async () => {
    await login(server.users.admin);
    const { items } = await rig.json(['audit', 'list', '--remote', '--limit', '1000', ...at]);
    expect(items).toContainEqual(expect.objectContaining({ action: 'revoke_token', user: 'tess' }));
    expect(items).toContainEqual(expect.objectContaining({ action: 'create_service_user' }));
    await rig.json(['auth', 'logout', '--yes', ...at]);
  });

  test('every revocation stands in the audit log, and the log holds (G5, G23, G24)', async () => {
    const { items } = await rig.json(['audit', 'list', '--limit', '500']);
    const revocations = (items as unknown as { action: string; outcome: string }[]).filter(
      ({ action }) => action === 'revoke',
    );
    expect(revocations.length).toBeGreaterThan(8);
    expect((await rig.run(['audit', 'verify'])).code).toBe(0);
    expect(JSON.stringify(items)).not.toMatch(JWT);
    expect(rig.agent.log()).not.toMatch(JWT);
    expect(rig.said()).not.toContain('password-EXAMPLE');
  });
});

/** A day there is as long as a test wants; the agent's waits are a manifest's. */
describe('a revocation that pangolin forgets (G29)', () => {
  const DAY = 86_400;
  let server: Pangolin;
  let rig: Rig;
  let now: number;
  let id: string;
  const at = ['--service', 'pangolin'];
  const revived = async () => {
    const { degraded } = await rig.json(['status']);
    return (degraded as unknown as { code: string }[]).filter(({ code }) => code === 'token-revived');
  };

  beforeAll(async () => {
    now = Math.floor(Date.now() / 1_000);
    server = await openPangolin({ clock: { now: () => now } });
    // Many looks: on a busy machine the first may come before the day there is over.
    rig = await openRig('pangolin', server, 'life:\n  recheck: [2s, 4s, 8s, 16s, 32s, 64s]\n');
    const login = ['auth', 'login', ...at, '--username', 'tess', '--tenant', server.tenant, '--stdin'];
    await rig.json(login, { input: 'password-EXAMPLE\n' });
    await rig.json(['token', 'create', 'ci-load', '--expires-in', '90d', ...at]);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test('is noticed by the agent when it opens, and told with what to run', async () => {
    // By an administrator: a token that revokes itself stays dead there.
    const revoked = await rig.run(['token', 'revoke', 'ci-load', '--yes', '--as', 'tess']);
    expect(revoked.stdout).toContain('Revoked ci-load; a probe shows that it is dead.');
    expect(revoked.stdout.replace(/\s+/g, ' ')).toContain('The agent looks again after 2s, 4s,');
    const { items } = await rig.json(['token', 'list', '--deleted']);
    expect(items).toMatchObject([{ label: 'ci-load', recheck: { nextAt: expect.any(Number) } }]);
    await rig.run(['lock']);
    now += DAY + 3_600;
    // Two looks are missed.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await rig.run(['unlock']);
    await expect.poll(revived, { timeout: 70_000, interval: 500 }).toHaveLength(1);
    const [told] = (await revived()) as unknown as [{ what: string; remedy: string }];
    expect(told.what).toBe('a token that was revoked works again: ci-load of pangolin');
    id = /^run: keyhold token revoke ([0-9a-f]{20})$/.exec(told.remedy)![1]!;
    expect((await rig.run(['doctor'])).stdout.replace(/\s+/g, ' ')).toContain(`keyhold token revoke ${id}`);
    await rig.json(['restart']);
    expect(await revived()).toHaveLength(1);
    const entries = (await rig.json(['audit', 'list', '--action', 'recheck']))['items'];
    expect(entries).toContainEqual(expect.objectContaining({ outcome: 'interaction-required' }));
  });

  test('is revoked anew by that id, though nobody holds the token', async () => {
    const asked = await rig.run(['token', 'revoke', id]);
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('Revoke ci-load?') });
    const { results } = await rig.json(['token', 'revoke', id, '--yes']);
    expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead', watched: true }]);
    expect(await revived()).toEqual([]);
    const { items } = await rig.json(['token', 'list', '--deleted']);
    expect(items).toHaveLength(1);
    expect((await rig.run(['token', 'revoke', '0'.repeat(20), '--yes'])).code).toBe(4);
    expect(rig.said()).not.toMatch(JWT);
    expect(rig.agent.log()).not.toMatch(JWT);
  });

  test('and with revoke.recheck off nothing is kept', async () => {
    await rig.json(['config', 'set', 'revoke.recheck', 'off']);
    await rig.json(['restart']);
    const kept = async () => {
      const { items } = await rig.json(['token', 'list', '--deleted']);
      return (items as unknown as { recheck?: object }[]).filter(({ recheck }) => recheck !== undefined);
    };
    await expect.poll(kept).toEqual([]);
  });
});

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as Record<string, unknown>;
}
