import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock.ts';
import { testFaults } from './fault-suite.ts';
import { openPangolin, type Pangolin } from './pangolin.ts';
import type { PangolinUser } from './pangolin-session.ts';

type Body = Record<string, unknown>;
type ServiceUser = { readonly id: string; readonly api_key: string };

const HOUR = 3_600;
const DAY = 24 * HOUR;

const send = (
  pangolin: Pangolin,
  method: string,
  path: string,
  bearer = '',
  body?: object,
  options: RequestInit = {},
) =>
  fetch(`${pangolin.url}${path}`, {
    ...options,
    method,
    headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
const json = async (answer: Promise<Response>) => (await (await answer).json()) as Body;
const said = async (answer: Promise<Response>) => [(await answer).status, await (await answer).text()];
const status = async (answer: Promise<Response>) => (await answer).status;
const login = async (pangolin: Pangolin, { username, password, tenant }: PangolinUser) => {
  const body = { username, password, 'tenant-id': tenant };
  return `${(await json(send(pangolin, 'POST', '/api/v1/users/login', '', body)))['token']}`;
};
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Body;
const idOf = (token: string) => `${claimsOf(token)['jti']}`;
const whoami = (pangolin: Pangolin, token: string) => status(send(pangolin, 'GET', '/api/v1/users/me', token));
const create = async (pangolin: Pangolin, admin: string, body: object = {}) => {
  const whose = { tenant_id: pangolin.tenant, username: 'ada', ...body };
  return `${(await json(send(pangolin, 'POST', '/api/v1/tokens', admin, whose)))['token']}`;
};
const createServiceUser = async (pangolin: Pangolin, admin: string, body: object = {}) =>
  (await json(
    send(pangolin, 'POST', '/api/v1/service-users', admin, { name: 'ci', role: 'tenant-user', ...body }),
  )) as ServiceUser;
const withKey = (pangolin: Pangolin, key: string) =>
  status(fetch(`${pangolin.url}/api/v1/users/me`, { headers: { 'x-api-key': key } }));
const clientCredentials = (pangolin: Pangolin, fields: Record<string, string>) =>
  fetch(`${pangolin.url}/v1/analytics/v1/oauth/tokens`, { method: 'POST', body: new URLSearchParams(fields) });

describe('Pangolin', () => {
  test('a login gives a JWT (HS256) of 24 hours with jti, exp, iat, tenant_id and role (G10, G26)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const token = await login(pangolin, pangolin.users.admin);
    expect(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())).toEqual({ typ: 'JWT', alg: 'HS256' });
    const now = Date.parse('2030-01-01T00:00:00Z') / 1_000;
    expect(claimsOf(token)).toEqual({
      sub: pangolin.users.admin.id,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      username: 'tess',
      tenant_id: pangolin.tenant,
      role: 'tenant-admin',
      exp: now + DAY,
      iat: now,
    });
  });

  test('refuses a wrong password, and the right one for another tenant (G12, G26)', async () => {
    await using pangolin = await openPangolin();
    const { username, password } = pangolin.users.user;
    for (const body of [
      { username, password: 'other-EXAMPLE', 'tenant-id': pangolin.tenant },
      { username, password, 'tenant-id': '00000000-0000-0000-0000-000000000001' },
    ]) {
      const answer = send(pangolin, 'POST', '/api/v1/users/login', '', body);
      expect(await said(answer)).toEqual([401, 'Invalid credentials']);
    }
  });

  test('a login without a tenant is a root user, and either spelling names the tenant (G26)', async () => {
    await using pangolin = await openPangolin();
    const { username, password } = pangolin.users.user;
    const answer = (body: object) => send(pangolin, 'POST', '/api/v1/users/login', '', body);
    expect(await said(answer({ username, password }))).toEqual([401, 'Tenant users must login with tenant_id']);
    expect(await status(answer({ username, password, tenant_id: pangolin.tenant }))).toBe(200);
    const { root } = pangolin.users;
    expect(await status(answer({ username: root.username, password: root.password }))).toBe(200);
  });

  test('takes JSON with the members that it knows, and no other', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    const body = { tenant_id: pangolin.tenant, expires_in_days: 1 };
    expect(await said(send(pangolin, 'POST', '/api/v1/tokens', admin, body))).toEqual([
      422,
      expect.stringContaining('unknown field `expires_in_days`'),
    ]);
    const bare = { method: 'POST', headers: { authorization: `Bearer ${admin}` } };
    expect(await status(fetch(`${pangolin.url}/api/v1/auth/revoke`, bare))).toBe(415);
    expect(await whoami(pangolin, admin)).toBe(200);
  });

  test('each login is a token of its own: one may end and the others live (G11)', async () => {
    await using pangolin = await openPangolin();
    const [desktop, laptop] = [
      await login(pangolin, pangolin.users.user),
      await login(pangolin, pangolin.users.user),
    ] as const;
    expect(await status(send(pangolin, 'POST', '/api/v1/auth/revoke', desktop, {}))).toBe(200);
    expect(await whoami(pangolin, desktop)).toBe(401);
    expect(await whoami(pangolin, laptop)).toBe(200);
  });

  test('revoking the current token logs out, and says so (G1, G2, G3)', async () => {
    await using pangolin = await openPangolin();
    const token = await login(pangolin, pangolin.users.user);
    expect(await json(send(pangolin, 'POST', '/api/v1/auth/revoke', token, {}))).toEqual({
      message: 'Token revoked successfully. Please log in again.',
    });
    expect(await said(send(pangolin, 'POST', '/api/v1/auth/revoke', token, {}))).toEqual([
      401,
      'Token has been revoked',
    ]);
  });

  test('an admin revokes by id; a second time, and for an id that never was, it says the same (G4, G5, G16)', async () => {
    await using pangolin = await openPangolin();
    const [admin, token] = [
      await login(pangolin, pangolin.users.admin),
      await login(pangolin, pangolin.users.user),
    ] as const;
    const revoke = () => send(pangolin, 'POST', `/api/v1/auth/revoke/${idOf(token)}`, admin, { reason: 'lost' });
    expect(await json(revoke())).toEqual({ message: `Token ${idOf(token)} revoked successfully` });
    expect(await whoami(pangolin, token)).toBe(401);
    expect(await status(revoke())).toBe(200);
    const mistyped = '00000000-0000-0000-0000-000000000001';
    expect(await json(send(pangolin, 'POST', `/api/v1/auth/revoke/${mistyped}`, admin, {}))).toEqual({
      message: `Token ${mistyped} revoked successfully`,
    });
    expect(await status(send(pangolin, 'POST', '/api/v1/auth/revoke/token-1', admin, {}))).toBe(400);
  });

  test('deleting a token is revoking it, and for admins (G7)', async () => {
    await using pangolin = await openPangolin();
    const [admin, token] = [
      await login(pangolin, pangolin.users.admin),
      await login(pangolin, pangolin.users.user),
    ] as const;
    const remove = (by: string) => send(pangolin, 'DELETE', `/api/v1/tokens/${idOf(token)}`, by);
    expect(await said(remove(token))).toEqual([403, 'Admin access required to delete arbitrary token']);
    expect(await status(remove(admin))).toBe(204);
    expect(await status(remove(admin))).toBe(204);
  });

  test('refuses the wrong role with 403, and who is nobody with 401 (G14, G15)', async () => {
    await using pangolin = await openPangolin();
    const user = await login(pangolin, pangolin.users.user);
    for (const [method, path] of [
      ['POST', `/api/v1/auth/revoke/${idOf(user)}`],
      ['GET', `/api/v1/users/${pangolin.users.admin.id}/tokens`],
      ['POST', '/api/v1/auth/cleanup-tokens'],
      ['DELETE', `/api/v1/tokens/${idOf(user)}`],
      ['POST', '/api/v1/tokens'],
      ['POST', '/api/v1/service-users'],
      ['GET', '/api/v1/service-users'],
    ] as const) {
      const own = path === '/api/v1/tokens' ? { tenant_id: pangolin.tenant } : undefined;
      expect(await status(send(pangolin, method, path, user, own))).toBe(403);
      expect(await status(send(pangolin, method, path))).toBe(401);
    }
  });

  test('lists the created tokens of a user with their values, and their ids as id; no login (G6, G30)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const [admin, session] = [
      await login(pangolin, pangolin.users.admin),
      await login(pangolin, pangolin.users.user),
    ] as const;
    expect(await json(send(pangolin, 'GET', '/api/v1/users/me/tokens', session))).toEqual([]);
    const token = await create(pangolin, admin);
    const expected = [
      {
        id: idOf(token),
        tenant_id: pangolin.tenant,
        user_id: pangolin.users.user.id,
        username: 'ada',
        created_at: '2030-01-01T00:00:00Z',
        expires_at: '2030-01-02T00:00:00Z',
        is_valid: true,
        token,
      },
    ];
    expect(await json(send(pangolin, 'GET', '/api/v1/users/me/tokens', token))).toEqual(expected);
    const path = `/api/v1/users/${pangolin.users.user.id}/tokens`;
    expect(await json(send(pangolin, 'GET', path, admin))).toEqual(expected);
  });

  test("pages through a list, the longest life first, and shows no other tenant's (G6)", async () => {
    await using pangolin = await openPangolin();
    const [admin, root] = [await login(pangolin, pangolin.users.admin), await login(pangolin, pangolin.users.root)];
    const ids = [];
    for (const expires_in_hours of [1, 3, 2]) ids.push(idOf(await create(pangolin, admin, { expires_in_hours })));
    const path = `/api/v1/users/${pangolin.users.user.id}/tokens`;
    const list = async (query: string, by = admin) =>
      ((await (await send(pangolin, 'GET', `${path}${query}`, by)).json()) as { id: string }[]).map(({ id }) => id);
    expect(await list('')).toEqual([ids[1], ids[2], ids[0]]);
    expect(await list('?limit=1&offset=1')).toEqual([ids[2]]);
    expect(await list('', root)).toEqual([]);
  });

  test('ends all created tokens of a user by listing and revoking them; a login lives on (G8)', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    const tokens = [await create(pangolin, admin), await create(pangolin, admin)];
    const session = await login(pangolin, pangolin.users.user);
    const path = `/api/v1/users/${pangolin.users.user.id}/tokens`;
    const list = async () => (await (await send(pangolin, 'GET', path, admin)).json()) as { id: string }[];
    for (const { id } of await list()) await send(pangolin, 'POST', `/api/v1/auth/revoke/${id}`, admin, {});
    expect(await list()).toEqual([]);
    for (const token of tokens) expect(await whoami(pangolin, token)).toBe(401);
    expect(await whoami(pangolin, session)).toBe(200);
  });

  test('makes tokens for 24 hours, or for as long as a year (G25)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const admin = await login(pangolin, pangolin.users.admin);
    const make = (body: object) =>
      send(pangolin, 'POST', '/api/v1/tokens', admin, { tenant_id: pangolin.tenant, username: 'ada', ...body });
    const made = await json(make({}));
    expect(made).toMatchObject({ expires_at: '2030-01-02T00:00:00+00:00', tenant_id: pangolin.tenant });
    expect(claimsOf(`${made['token']}`)).toMatchObject({ sub: pangolin.users.user.id, role: 'tenant-user' });
    const year = await json(make({ expires_in_hours: 8_760 }));
    expect(year).toMatchObject({ expires_at: '2031-01-01T00:00:00+00:00' });
    expect(await json(make({ expires_in_hours: 9_999 }))).toMatchObject({ expires_at: '2031-01-01T00:00:00+00:00' });
    expect(await said(make({ tenant_id: 'ours' }))).toEqual([400, 'Invalid tenant_id format']);
    expect(await said(make({ tenant_id: '00000000-0000-0000-0000-000000000001' }))).toEqual([
      403,
      'Cannot mint a token for another tenant',
    ]);
    expect(await said(make({ roles: ['owner'] }))).toEqual([400, 'Unknown role: owner']);
    expect(await said(make({ roles: ['root'] }))).toEqual([403, 'Cannot mint a token more privileged than the caller']);
  });

  test('rotating gives 24 hours, however long the old token had, and kills the old one (G28)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const admin = await login(pangolin, pangolin.users.admin);
    const body = { tenant_id: pangolin.tenant, username: 'ada', expires_in_hours: 8_760 };
    const old = `${(await json(send(pangolin, 'POST', '/api/v1/tokens', admin, body)))['token']}`;
    const fresh = await json(send(pangolin, 'POST', '/api/v1/tokens/rotate', old));
    expect(fresh).toMatchObject({ expires_at: '2030-01-02T00:00:00+00:00' });
    expect(await whoami(pangolin, `${fresh['token']}`)).toBe(200);
    expect(await whoami(pangolin, old)).toBe(401);
  });

  test('refuses an expired token (G14, G17)', async () => {
    const clock = new FakeClock();
    await using pangolin = await openPangolin({ clock });
    const token = await login(pangolin, pangolin.users.user);
    clock.advance(DAY);
    expect(await said(send(pangolin, 'GET', '/api/v1/users/me', token))).toEqual([401, 'Token expired']);
    clock.advance(60);
    expect(await said(send(pangolin, 'GET', '/api/v1/users/me', token))).toEqual([401, 'Invalid token']);
  });

  test('lets a revoked token in again when a day and a sweep have passed (G29)', async () => {
    const clock = new FakeClock();
    await using pangolin = await openPangolin({ clock });
    const admin = await login(pangolin, pangolin.users.admin);
    const body = { tenant_id: pangolin.tenant, username: 'ada', expires_in_hours: 72 };
    const token = `${(await json(send(pangolin, 'POST', '/api/v1/tokens', admin, body)))['token']}`;
    clock.advance(10);
    await send(pangolin, 'POST', `/api/v1/auth/revoke/${idOf(token)}`, admin, {});
    clock.advance(DAY);
    expect(await whoami(pangolin, token)).toBe(401);
    clock.advance(HOUR);
    expect(await whoami(pangolin, token)).toBe(200);
    expect(pangolin.isAlive(idOf(token))).toBe(true);
  });

  test('a token that revoked itself stays dead for as long as it would have lived (G1, G29)', async () => {
    const clock = new FakeClock();
    await using pangolin = await openPangolin({ clock });
    const token = await create(pangolin, await login(pangolin, pangolin.users.admin), { expires_in_hours: 72 });
    await send(pangolin, 'POST', '/api/v1/auth/revoke', token, {});
    clock.advance(2 * DAY);
    expect(await said(send(pangolin, 'GET', '/api/v1/users/me', token))).toEqual([401, 'Token has been revoked']);
  });

  test('an admin may sweep at once (G29)', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    expect(await json(send(pangolin, 'POST', '/api/v1/auth/cleanup-tokens', admin))).toEqual({
      message: 'Cleaned up 0 expired tokens',
      count: 0,
    });
  });

  test('the paths that the documents name do not exist', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    for (const path of ['/api/v1/tokens/revoke', '/api/v1/tokens/revoke/self', `/api/v1/revoke/${idOf(admin)}`]) {
      expect(await status(send(pangolin, 'POST', path, admin, {}))).toBe(404);
    }
  });

  test('shows its audit log, the last event first (G23)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const [admin, token] = [
      await login(pangolin, pangolin.users.admin),
      await login(pangolin, pangolin.users.user),
    ] as const;
    await send(pangolin, 'POST', `/api/v1/auth/revoke/${idOf(token)}`, admin, {});
    expect(await json(send(pangolin, 'GET', '/api/v1/audit', admin))).toMatchObject([
      { action: 'revoke_token', resource_id: idOf(token), username: 'tess', result: 'success' },
      { action: 'generate_token', resource_id: idOf(token), username: 'ada' },
      { action: 'generate_token', resource_id: idOf(admin), username: 'tess' },
    ]);
  });
});

describe("Pangolin's service users", () => {
  test('have a key pgl_<12>_<48>, shown once, that goes into X-API-Key (G19)', async () => {
    await using pangolin = await openPangolin({ clock: new FakeClock() });
    const admin = await login(pangolin, pangolin.users.admin);
    const made = await createServiceUser(pangolin, admin, { expires_in_days: 90 });
    expect(made).toMatchObject({ name: 'ci', expires_at: '2030-04-01T00:00:00Z' });
    expect(made.api_key).toMatch(/^pgl_[A-Za-z0-9]{12}_[A-Za-z0-9]{48}$/);
    expect(await withKey(pangolin, made.api_key)).toBe(200);
    expect(await whoami(pangolin, made.api_key)).toBe(401);
    const listed = await (await send(pangolin, 'GET', '/api/v1/service-users', admin)).text();
    expect(listed).not.toContain(made.api_key);
    expect(listed).toContain('"api-key-hash":"$2b$12$');
  });

  test('a server of before answers service_user_id, and its keys have one part (G19)', async () => {
    await using pangolin = await openPangolin({ isOld: true });
    const admin = await login(pangolin, pangolin.users.admin);
    const made = await createServiceUser(pangolin, admin);
    expect(made).toEqual({
      service_user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'ci',
      api_key: expect.stringMatching(/^pgl_[A-Za-z0-9]{64}$/),
      expires_at: null,
    });
    expect(await withKey(pangolin, made.api_key)).toBe(200);
  });

  test('are created, listed, shown, changed and deleted (G19)', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    const { id, api_key: key } = await createServiceUser(pangolin, admin);
    const one = `/api/v1/service-users/${id}`;
    expect(await json(send(pangolin, 'PUT', one, admin, { active: false }))).toEqual({ status: 'updated' });
    expect(await withKey(pangolin, key)).toBe(401);
    expect(await json(send(pangolin, 'GET', one, admin))).toMatchObject({ id, name: 'ci', active: false });
    expect(await json(send(pangolin, 'DELETE', one, admin))).toEqual({ status: 'deleted' });
    expect(await json(send(pangolin, 'GET', one, admin))).toEqual({ error: 'Service user not found' });
    expect(await json(send(pangolin, 'GET', '/api/v1/service-users', admin))).toEqual([]);
  });

  test('get a new key by rotation, and the old one is dead (G13, G18)', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    const old = await createServiceUser(pangolin, admin);
    const path = `/api/v1/service-users/${old.id}/rotate`;
    const fresh = (await json(send(pangolin, 'POST', path, admin))) as ServiceUser;
    expect(await withKey(pangolin, fresh.api_key)).toBe(200);
    expect(await withKey(pangolin, old.api_key)).toBe(401);
  });

  test('a key dies when its days are over (G18)', async () => {
    const clock = new FakeClock();
    await using pangolin = await openPangolin({ clock });
    const admin = await login(pangolin, pangolin.users.admin);
    const { api_key: key } = await createServiceUser(pangolin, admin, { expires_in_days: 30 });
    clock.advance(30 * DAY);
    expect(await withKey(pangolin, key)).toBe(401);
  });

  test('exchange id and key for a token of one hour: client_credentials (G27)', async () => {
    const clock = new FakeClock();
    await using pangolin = await openPangolin({ clock });
    const admin = await login(pangolin, pangolin.users.admin);
    const { id, api_key: key } = await createServiceUser(pangolin, admin);
    const grant = { grant_type: 'client_credentials', client_id: id, client_secret: key };
    const answer = await json(clientCredentials(pangolin, grant));
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: HOUR });
    const token = `${answer['access_token']}`;
    expect(await whoami(pangolin, token)).toBe(200);
    clock.advance(HOUR);
    expect(await whoami(pangolin, token)).toBe(401);
  });

  test('are refused another grant, an id that is none, and a wrong key (G27)', async () => {
    await using pangolin = await openPangolin();
    const admin = await login(pangolin, pangolin.users.admin);
    const { id, api_key: key } = await createServiceUser(pangolin, admin);
    const grant = { grant_type: 'client_credentials', client_id: id, client_secret: key };
    for (const [change, expected] of [
      [{ grant_type: 'password' }, 400],
      [{ client_id: 'ci' }, 400],
      [{ client_id: '00000000-0000-0000-0000-000000000001' }, 401],
      [{ client_secret: 'pgl_other_EXAMPLE' }, 401],
    ] as const) {
      expect(await status(clientCredentials(pangolin, { ...grant, ...change }))).toBe(expected);
    }
  });
});

describe('Pangolin in trouble', () => {
  testFaults(async () => {
    const pangolin = await openPangolin();
    const token = await login(pangolin, pangolin.users.user);
    return {
      standIn: pangolin,
      probe: (options) => send(pangolin, 'GET', '/api/v1/users/me', token, undefined, options),
    };
  });
});
