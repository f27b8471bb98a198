import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock.ts';
import { type Apkg, openApkg } from './apkg.ts';
import { testFaults } from './fault-suite.ts';

type Session = { readonly accessToken: string; readonly refreshToken: string; readonly expiresIn: number };
type Created = { readonly id: string; readonly name: string; readonly token: string; readonly expiresAt: string };
type Body = Record<string, unknown>;

const send = (apkg: Apkg, method: string, path: string, bearer?: string, body?: object, options: RequestInit = {}) =>
  fetch(`${apkg.url}${path}`, {
    ...options,
    method,
    headers: { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
const json = async (answer: Promise<Response>) => (await (await answer).json()) as Body;
const credentials = { username: 'ada', password: 'password-EXAMPLE' };
const login = async (apkg: Apkg) => (await json(send(apkg, 'POST', '/auth/login', undefined, credentials))) as Session;
const create = async (apkg: Apkg, bearer: string, body: object = {}) =>
  (await json(
    send(apkg, 'POST', '/auth/tokens', bearer, { name: 'ci-deploy', scopes: ['publish'], ...body }),
  )) as Created;
const status = async (answer: Promise<Response>) => (await answer).status;

describe('an apkg registry', () => {
  test('signs in with a name and a password, for an hour (K15)', async () => {
    const clock = new FakeClock();
    await using apkg = await openApkg({ clock });
    const session = await login(apkg);
    expect(session).toMatchObject({ expiresIn: 3_600, tokenType: 'Bearer' });
    expect(await status(send(apkg, 'GET', '/auth/whoami', session.accessToken))).toBe(200);
    clock.advance(3_600);
    const late = await send(apkg, 'GET', '/auth/whoami', session.accessToken);
    expect([late.status, await late.json()]).toMatchObject([401, { error: { message: 'Token expired' } }]);
  });

  test('refuses a wrong password in its error envelope (K15, K25)', async () => {
    await using apkg = await openApkg();
    const answer = await send(apkg, 'POST', '/auth/login', undefined, { ...credentials, password: 'other-EXAMPLE' });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({
      error: {
        code: 'UNAUTHORIZED',
        message: 'Invalid credentials',
        details: [],
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
  });

  test('asks for a second factor, and takes the six digits of the moment once (K15)', async () => {
    const clock = new FakeClock();
    await using apkg = await openApkg({ clock, mfa: true });
    const challenge = async () => {
      const { mfaRequired, mfaToken } = await json(send(apkg, 'POST', '/auth/login', undefined, credentials));
      expect(mfaRequired).toBe(true);
      return `${mfaToken}`;
    };
    const answer = async (mfaToken: string, code: string) =>
      send(apkg, 'POST', '/auth/mfa/challenge', undefined, { mfaToken, code });
    const mfaToken = await challenge();
    const digits = apkg.totp();
    expect(await status(answer(mfaToken, digits === '000000' ? '000001' : '000000'))).toBe(401);
    expect(await json(answer(mfaToken, digits))).toMatchObject({ tokenType: 'Bearer' });
    expect(await status(answer(await challenge(), digits))).toBe(401);
    clock.advance(30);
    expect(await status(answer(await challenge(), apkg.totp()))).toBe(200);
  });

  test('takes a recovery code in place of the digits, each once; a login half done lapses (K15)', async () => {
    const clock = new FakeClock();
    await using apkg = await openApkg({ clock, mfa: true });
    const half = async () => (await json(send(apkg, 'POST', '/auth/login', undefined, credentials)))['mfaToken'];
    const answer = (mfaToken: unknown, code: string) =>
      status(send(apkg, 'POST', '/auth/mfa/challenge', undefined, { mfaToken, code }));
    const [first, second] = apkg.recoveryCodes as [string, string];
    expect(await answer(await half(), first)).toBe(200);
    expect(await answer(await half(), first)).toBe(401);
    const late = await half();
    clock.advance(300);
    expect(await answer(late, second)).toBe(401);
  });

  test('says who is signed in (K17)', async () => {
    await using apkg = await openApkg({ mfa: false });
    const { accessToken } = await login(apkg);
    expect(await json(send(apkg, 'GET', '/auth/whoami', accessToken))).toMatchObject({
      username: 'ada',
      email: 'ada@apkg.example',
      mfaEnabled: false,
      orgs: [],
    });
  });

  test('makes a token and shows its value once: the list has names, ids and dates (K4, K7, K9, K23)', async () => {
    await using apkg = await openApkg({ clock: new FakeClock() });
    const { accessToken } = await login(apkg);
    const created = await create(apkg, accessToken);
    expect(created).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'ci-deploy',
      token: expect.stringMatching(/^apkg_\w{40}$/),
      scopes: ['publish'],
      packageScope: null,
      expiresAt: '2030-04-01T00:00:00Z',
      createdAt: '2030-01-01T00:00:00Z',
    });
    await send(apkg, 'PUT', '/packages/app', created.token);
    const text = await (await send(apkg, 'GET', '/auth/tokens', accessToken)).text();
    expect(text).not.toContain(created.token);
    expect(JSON.parse(text)).toMatchObject({
      tokens: [{ id: created.id, name: 'ci-deploy', expiresIn: '90d', lastUsed: '2030-01-01T00:00:00Z' }],
    });
  });

  test.each([
    ['30d', '2030-01-31T00:00:00Z'],
    ['90d', '2030-04-01T00:00:00Z'],
    ['365d', '2031-01-01T00:00:00Z'],
  ])('a token may live %s, whatever the documents say (K3)', async (expiresIn, expiresAt) => {
    const clock = new FakeClock();
    await using apkg = await openApkg({ clock });
    const { accessToken } = await login(apkg);
    const created = await create(apkg, accessToken, { expiresIn });
    expect(created.expiresAt).toBe(expiresAt);
    clock.set(expiresAt);
    expect(await status(send(apkg, 'PUT', '/packages/app', created.token))).toBe(401);
    expect(apkg.active()).toEqual([]);
  });

  test.each([
    ['name', { name: '' }],
    ['scopes', { scopes: ['everything'] }],
    ['scopes', { scopes: [] }],
    ['expiresIn', { expiresIn: '7d' }],
  ])('refuses an unfit %s and names the field (K21, K25)', async (field, body) => {
    await using apkg = await openApkg();
    const { accessToken } = await login(apkg);
    const answer = await send(apkg, 'POST', '/auth/tokens', accessToken, { name: 'x', scopes: ['read'], ...body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'VALIDATION', details: [{ field }] } });
  });

  test('refuses a token of another registry (K6, K20)', async () => {
    await using one = await openApkg();
    await using two = await openApkg();
    const { token } = await create(one, (await login(one)).accessToken);
    expect(await status(send(one, 'GET', '/auth/whoami', token))).toBe(200);
    expect(await status(send(two, 'GET', '/auth/whoami', token))).toBe(401);
  });

  test('revokes at once, by the whole id and not by its first eight characters (K10, K11, K22)', async () => {
    await using apkg = await openApkg();
    const { accessToken } = await login(apkg);
    const { id, token } = await create(apkg, accessToken);
    expect(await status(send(apkg, 'DELETE', `/auth/tokens/${id.slice(0, 8)}`, accessToken))).toBe(404);
    expect(await status(send(apkg, 'GET', '/auth/whoami', token))).toBe(200);
    expect(await status(send(apkg, 'DELETE', `/auth/tokens/${id}`, accessToken))).toBe(204);
    expect(await status(send(apkg, 'GET', '/auth/whoami', token))).toBe(401);
  });

  test('answers a second revocation with 404 (K10)', async () => {
    await using apkg = await openApkg();
    const { accessToken } = await login(apkg);
    const { id } = await create(apkg, accessToken);
    await send(apkg, 'DELETE', `/auth/tokens/${id}`, accessToken);
    const answer = await send(apkg, 'DELETE', `/auth/tokens/${id}`, accessToken);
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { code: 'NOT_FOUND' } }]);
  });

  test('lets a token do what its scopes and its packages allow (K14, K21)', async () => {
    await using apkg = await openApkg();
    const { accessToken } = await login(apkg);
    const reader = await create(apkg, accessToken, { scopes: ['read'] });
    const ours = await create(apkg, accessToken, { packageScope: '@org/*' });
    const packages = (name: string) => `/packages/${encodeURIComponent(name)}`;
    expect(await status(send(apkg, 'GET', packages('@org/app')))).toBe(200);
    expect(await status(send(apkg, 'PUT', packages('@org/app')))).toBe(401);
    expect(await status(send(apkg, 'PUT', packages('@org/app'), reader.token))).toBe(403);
    expect(await status(send(apkg, 'PUT', packages('@org/app'), ours.token))).toBe(200);
    expect(await status(send(apkg, 'PUT', packages('@other/app'), ours.token))).toBe(403);
    expect(await status(send(apkg, 'POST', '/auth/tokens', ours.token, { name: 'x', scopes: ['read'] }))).toBe(403);
  });

  test('has no way to refresh a session, though it hands out a refresh token (K27)', async () => {
    await using apkg = await openApkg();
    const { refreshToken } = await login(apkg);
    expect(refreshToken).toMatch(/EXAMPLE$/);
    expect(await status(send(apkg, 'POST', '/auth/refresh', undefined, { refreshToken }))).toBe(404);
  });

  testFaults(async () => {
    const apkg = await openApkg();
    const { accessToken } = await login(apkg);
    return {
      standIn: apkg,
      probe: (options) => send(apkg, 'GET', '/auth/whoami', accessToken, undefined, options),
    };
  });
});
