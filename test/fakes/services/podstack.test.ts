import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock.ts';
import { testFaults } from './fault-suite.ts';
import { openPodstack, type Podstack } from './podstack.ts';

type Created = {
  readonly id: string;
  readonly prefix: string;
  readonly token: string;
  readonly expiresAt: string | null;
};

const send = (podstack: Podstack, method: string, path: string, bearer: string, options: RequestInit = {}) =>
  fetch(`${podstack.url}${path}`, { ...options, method, headers: { authorization: `Bearer ${bearer}` } });
/** As the page does: with the session of who is signed in. */
const page = (podstack: Podstack, method: string, path = '', body?: object) =>
  send(podstack, method, `/v1/account/api-tokens${path}`, podstack.session, body && { body: JSON.stringify(body) });
const create = async (podstack: Podstack, body: object = {}) =>
  (await (await page(podstack, 'POST', '', { name: 'ci', expiresInDays: 30, ...body })).json()) as Created;
const status = async (answer: Promise<Response>) => (await answer).status;

describe('Podstack', () => {
  test('makes tokens podstack_<prefix>_… and shows their value once (S4, S26, S29)', async () => {
    await using podstack = await openPodstack({ clock: new FakeClock() });
    const created = await create(podstack);
    expect(created.token).toMatch(/^podstack_[A-Za-z0-9]{8}_[A-Za-z0-9]{32}$/);
    expect(created.token.split('_')[1]).toBe(created.prefix);
    const text = await (await page(podstack, 'GET')).text();
    expect(text).not.toContain(created.token);
    expect(JSON.parse(text)).toEqual({
      tokens: [
        {
          id: created.id,
          name: 'ci',
          prefix: created.prefix,
          scopes: ['*'],
          createdAt: '2030-01-01T00:00:00Z',
          expiresAt: '2030-01-31T00:00:00Z',
          lastUsed: null,
        },
      ],
    });
  });

  test('refuses a sixth active token; a revoked and an expired one do not count (S28)', async () => {
    const clock = new FakeClock();
    await using podstack = await openPodstack({ clock });
    const { id } = await create(podstack, { expiresInDays: null });
    await create(podstack, { expiresInDays: 7 });
    for (let at = 3; at <= 5; at++) await create(podstack, { expiresInDays: null });
    const sixth = () => page(podstack, 'POST', '', { name: 'sixth' });
    const refused = await sixth();
    expect([refused.status, await refused.json()]).toMatchObject([403, { error: { code: 'token_limit_reached' } }]);
    await page(podstack, 'DELETE', `/${id}`);
    expect(await status(sixth())).toBe(201);
    expect(await status(sixth())).toBe(403);
    clock.advance(7 * 86_400);
    expect(await status(sixth())).toBe(201);
    expect(podstack.active()).toHaveLength(5);
  });

  test.each([
    [7, 201],
    [30, 201],
    [90, 201],
    [180, 201],
    [365, 201],
    [null, 201],
    [14, 400],
    [-1, 400],
  ])('a life of %j days is answered with %i (S27)', async (expiresInDays, expected) => {
    await using podstack = await openPodstack();
    expect(await status(page(podstack, 'POST', '', { name: 'ci', expiresInDays }))).toBe(expected);
  });

  test('says whose a token is and until when (S6, S7)', async () => {
    await using podstack = await openPodstack({ clock: new FakeClock() });
    const { token } = await create(podstack);
    const answer = await send(podstack, 'GET', '/v1/auth/whoami', token);
    expect(await answer.json()).toEqual({
      email: 'ada@podstack.example',
      accountId: 'acc_123456',
      expiresAt: '2030-01-31T00:00:00Z',
    });
  });

  test('describes the current token, with when it was last used (S14)', async () => {
    const clock = new FakeClock();
    await using podstack = await openPodstack({ clock });
    const { token, prefix } = await create(podstack, { name: 'laptop', scopes: ['pods:read'] });
    clock.advance(60);
    const answer = await send(podstack, 'GET', '/v1/auth/token-info', token);
    expect(await answer.json()).toMatchObject({
      name: 'laptop',
      prefix,
      scopes: ['pods:read'],
      lastUsed: '2030-01-01T00:01:00Z',
    });
  });

  test('refreshes a token: a new value and a new life, and the old value is dead (S15)', async () => {
    const clock = new FakeClock();
    await using podstack = await openPodstack({ clock });
    const old = await create(podstack);
    clock.advance(10 * 86_400);
    const fresh = (await (await send(podstack, 'POST', '/v1/auth/refresh', old.token)).json()) as Created;
    expect(fresh).toMatchObject({ id: old.id, expiresAt: '2030-02-10T00:00:00Z' });
    expect(await status(send(podstack, 'GET', '/v1/pods', fresh.token))).toBe(200);
    expect(await status(send(podstack, 'GET', '/v1/pods', old.token))).toBe(401);
    expect(await status(send(podstack, 'POST', '/v1/auth/refresh', old.token))).toBe(401);
    expect(podstack.active()).toHaveLength(1);
  });

  test('revokes the current token at once; a second time it is 401, for the token is dead (S16, S30)', async () => {
    await using podstack = await openPodstack();
    const { token } = await create(podstack);
    expect(await status(send(podstack, 'POST', '/v1/auth/revoke', token))).toBe(204);
    expect(await status(send(podstack, 'GET', '/v1/pods', token))).toBe(401);
    expect(await status(send(podstack, 'POST', '/v1/auth/revoke', token))).toBe(401);
  });

  test('revokes a token from the page; a second time it is 404 (S30)', async () => {
    await using podstack = await openPodstack();
    const { id, token } = await create(podstack);
    expect(await status(page(podstack, 'DELETE', `/${id}`))).toBe(204);
    expect(await status(send(podstack, 'GET', '/v1/pods', token))).toBe(401);
    expect(await status(page(podstack, 'DELETE', `/${id}`))).toBe(404);
  });

  test('tells an expired token from an unknown one by the text of its error (S23, S24)', async () => {
    const clock = new FakeClock();
    await using podstack = await openPodstack({ clock });
    const { token } = await create(podstack, { expiresInDays: 7 });
    clock.advance(7 * 86_400);
    const expired = await send(podstack, 'GET', '/v1/pods', token);
    expect([expired.status, await expired.json()]).toEqual([
      401,
      { error: { code: 'token_expired', message: 'Token expired' } },
    ]);
    const unknown = await send(podstack, 'GET', '/v1/pods', 'podstack_unknown0_EXAMPLE');
    expect([unknown.status, await unknown.json()]).toEqual([
      401,
      { error: { code: 'invalid_token', message: 'Invalid authentication token' } },
    ]);
  });

  test('refuses a project of somebody else with 403, which says nothing against the token (S25)', async () => {
    await using podstack = await openPodstack({ projects: ['my-project'] });
    const { token } = await create(podstack);
    const answer = await send(podstack, 'GET', '/v1/projects/other-project', token);
    expect([answer.status, await answer.json()]).toEqual([
      403,
      { error: { code: 'permission_denied', message: 'Permission denied for resource' } },
    ]);
    expect(await status(send(podstack, 'GET', '/v1/projects/my-project', token))).toBe(200);
  });

  test('JupyterHub takes the token under its own scheme (S36)', async () => {
    await using podstack = await openPodstack();
    const { token } = await create(podstack);
    const user = (authorization: string) =>
      status(fetch(`${podstack.url}/hub/api/user`, { headers: { authorization } }));
    expect(await user(`token ${token}`)).toBe(200);
    expect(await user(`Bearer ${token}`)).toBe(401);
  });

  test('shows who made and revoked tokens, the last first (S35)', async () => {
    await using podstack = await openPodstack({ clock: new FakeClock() });
    const { id } = await create(podstack);
    await page(podstack, 'DELETE', `/${id}`);
    const answer = await send(podstack, 'GET', '/v1/account/audit-logs', podstack.session);
    expect(await answer.json()).toMatchObject({
      entries: [
        { action: 'Token Revoked', resource: id, user: 'ada@podstack.example', timestamp: '2030-01-01T00:00:00Z' },
        { action: 'Token Created', resource: id },
      ],
    });
  });

  test('a refresh whose answer was lost has happened: the old value is dead (S15)', async () => {
    await using podstack = await openPodstack();
    const { token } = await create(podstack);
    podstack.fail('half-a-body', { only: /refresh/, times: 1 });
    const refresh = send(podstack, 'POST', '/v1/auth/refresh', token).then((answer) => answer.text());
    await expect(refresh).rejects.toThrow();
    expect(await status(send(podstack, 'GET', '/v1/pods', token))).toBe(401);
  });

  testFaults(async () => {
    const podstack = await openPodstack();
    const { token } = await create(podstack);
    return { standIn: podstack, probe: (options) => send(podstack, 'GET', '/v1/pods', token, options) };
  });
});
