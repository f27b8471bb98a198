import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock.ts';
import { testFaults } from './fault-suite.ts';
import { openPogo, type Pogo } from './pogo.ts';

const whoami = (pogo: Pogo, authorization?: string, options: RequestInit = {}) =>
  fetch(`${pogo.url}/whoami`, { ...options, headers: authorization === undefined ? {} : { authorization } });
const archive = (pogo: Pogo, token: string, repository = 'app') =>
  fetch(`${pogo.url}/repository/${repository}/archive/main`, { headers: { authorization: `Bearer ${token}` } });
const login = (pogo: Pogo, token: string) =>
  fetch(`${pogo.url}/api/login`, { method: 'POST', body: new URLSearchParams({ token }) });

describe('a Pogo server', () => {
  test('gives tokens of 32 bytes in padded base64url, 44 characters (P13)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}=$/);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  });

  test('knows its own tokens only: one server, one token (P2)', async () => {
    await using one = await openPogo();
    await using two = await openPogo();
    const token = one.mint('ada');
    expect((await whoami(one, `Bearer ${token}`)).status).toBe(200);
    expect((await whoami(two, `Bearer ${token}`)).status).toBe(401);
    expect(one.server).not.toBe(two.server);
  });

  test('takes a token with Bearer and bare (P7)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    for (const value of [`Bearer ${token}`, token]) {
      expect(await (await whoami(pogo, value)).json()).toEqual({ username: 'ada' });
    }
    expect(pogo.careless()).toBe(0);
  });

  test('takes one token for every repository (P6)', async () => {
    await using pogo = await openPogo({ repositories: ['app', 'site'] });
    const token = pogo.mint('ada');
    expect((await archive(pogo, token, 'app')).status).toBe(200);
    expect((await archive(pogo, token, 'site')).status).toBe(200);
    expect((await archive(pogo, token, 'other')).status).toBe(404);
  });

  test('takes both alphabets of base64 for one token (P23)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    const standard = token.replaceAll('-', '+').replaceAll('_', '/');
    expect((await whoami(pogo, `Bearer ${standard}`)).status).toBe(200);
    expect((await login(pogo, standard)).status).toBe(200);
  });

  test('does not take a token without its padding, nor both alphabets in one (P23)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    expect((await whoami(pogo, `Bearer ${token.replace('=', '')}`)).status).toBe(401);
    expect((await login(pogo, token.replace('=', ''))).status).toBe(400);
    expect((await login(pogo, `+${token.slice(1, 42)}_=`)).status).toBe(400);
  });

  test('also takes a token in the URL and in a cookie, which is careless and counted (P27)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    expect((await fetch(`${pogo.url}/whoami?token=${token}`)).status).toBe(200);
    expect((await fetch(`${pogo.url}/whoami`, { headers: { cookie: `token=${token}` } })).status).toBe(200);
    expect(pogo.careless()).toBe(2);
  });

  test('refuses who has no token, and a token that it does not know (P18)', async () => {
    await using pogo = await openPogo();
    const none = await whoami(pogo);
    expect([none.status, await none.text()]).toEqual([401, 'no personal access token provided\n']);
    const unknown = await whoami(pogo, `Bearer ${Buffer.alloc(32).toString('base64url')}=`);
    expect([unknown.status, await unknown.text()]).toEqual([401, 'invalid or unknown personal access token\n']);
  });

  test('tells a wrong format from a wrong token at login, and repeats the one of a wrong format (P13, P24)', async () => {
    await using pogo = await openPogo();
    const illegal = 'illegal base64 data at input byte 7';
    for (const [token, status, text] of [
      ['', 400, 'Token is required\n'],
      ['not-a token EXAMPLE', 400, 'failed to decode "not-a token EXAMPLE": illegal base64 data at input byte 5\n'],
      ['EXAMPLE', 400, `failed to decode "EXAMPLE": ${illegal}\n${illegal}\n`],
      [`${Buffer.alloc(32).toString('base64url')}=`, 401, 'Invalid token\n'],
    ] as const) {
      const answer = await login(pogo, token);
      expect([answer.status, (await answer.text()).replace('Invalid token format: ', '')]).toEqual([status, text]);
    }
  });

  test('has no call that lists, ends or refreshes a token; an admin ends it in the database (P21)', async () => {
    await using pogo = await openPogo();
    const token = pogo.mint('ada');
    for (const [method, path] of [
      ['DELETE', '/api/tokens/1'],
      ['GET', '/api/tokens'],
      ['POST', '/api/revoke'],
      ['POST', '/api/refresh'],
    ] as const) {
      const answer = await fetch(`${pogo.url}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
      expect([answer.status, await answer.text()]).toEqual([404, '404 page not found\n']);
    }
    pogo.drop(token);
    expect((await whoami(pogo, `Bearer ${token}`)).status).toBe(401);
  });

  test('gives tokens for CI that live one hour and open one repository (P25)', async () => {
    const clock = new FakeClock();
    await using pogo = await openPogo({ clock, repositories: ['app', 'site'] });
    const token = pogo.mintForCi('app');
    expect((await archive(pogo, token, 'app')).status).toBe(200);
    expect((await archive(pogo, token, 'site')).status).toBe(401);
    clock.advance(3_599);
    expect((await archive(pogo, token)).status).toBe(200);
    clock.advance(1);
    expect((await archive(pogo, token)).status).toBe(401);
  });

  test('records every request with what it carried and how it was answered', async () => {
    await using pogo = await openPogo();
    await whoami(pogo, 'Bearer unknown-EXAMPLE');
    expect(pogo.requests).toMatchObject([
      { method: 'GET', path: '/whoami', headers: { authorization: 'Bearer unknown-EXAMPLE' }, status: 401 },
    ]);
  });

  testFaults(async () => {
    const pogo = await openPogo();
    const token = pogo.mint('ada');
    return { standIn: pogo, probe: (options) => whoami(pogo, `Bearer ${token}`, options) };
  });
});
