import { describe, expect, test } from 'vitest';
import { FakeClock } from '../clock.ts';
import { testFaults } from './fault-suite.ts';
import { type ListedToken, openPogodoc, type Pogodoc } from './pogodoc.ts';

type Created = ListedToken & { readonly token: string };

/** As the page does: with the session of who is signed in. */
const page = (pogodoc: Pogodoc, method: string, path = '', body?: object) =>
  fetch(`${pogodoc.url}/v1/api-tokens${path}`, {
    method,
    headers: { cookie: `session=${pogodoc.session}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
const create = async (pogodoc: Pogodoc, name: string) =>
  (await (await page(pogodoc, 'POST', '', { name })).json()) as Created;
const list = async (pogodoc: Pogodoc, status = 'active') =>
  ((await (await page(pogodoc, 'GET', `?status=${status}`)).json()) as { tokens: ListedToken[] }).tokens;
/** As an app does: with its token. */
const render = (pogodoc: Pogodoc, authorization: string, options: RequestInit = {}) =>
  fetch(`${pogodoc.url}/v1/documents/immediate-render`, { ...options, method: 'POST', headers: { authorization } });

describe('Pogodoc', () => {
  test('makes a token under a name, and shows its value once (D5, D8)', async () => {
    await using pogodoc = await openPogodoc({ clock: new FakeClock() });
    const answer = await page(pogodoc, 'POST', '', { name: 'production-api' });
    expect(answer.status).toBe(201);
    const { token, ...rest } = (await answer.json()) as Created;
    expect(rest).toMatchObject({ name: 'production-api', createdAt: '2030-01-01T00:00:00Z', documents: 0 });
    expect(JSON.stringify(await list(pogodoc))).not.toContain(token);
    expect((await render(pogodoc, `Bearer ${token}`)).status).toBe(200);
  });

  test.each([
    ['of 20 characters', 'staging-web-app-2030', 201],
    ['of 1 character', 'x', 201],
    ['of 21 characters, though the documents use it as an example', 'production-api-server', 400],
    ['that is empty', '', 400],
  ])('a name %s is answered so (D6)', async (_, name, status) => {
    await using pogodoc = await openPogodoc();
    expect((await page(pogodoc, 'POST', '', { name })).status).toBe(status);
  });

  test('refuses an eleventh active token (D14, D45)', async () => {
    await using pogodoc = await openPogodoc();
    for (let at = 1; at <= 10; at++) expect((await create(pogodoc, `app-${at}`)).token).toBeDefined();
    const answer = await page(pogodoc, 'POST', '', { name: 'app-11' });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: 'TOKEN_LIMIT_REACHED' });
    expect(pogodoc.tokens()).toHaveLength(10);
  });

  test('does not count deleted tokens toward the limit (D15)', async () => {
    await using pogodoc = await openPogodoc();
    for (let at = 1; at <= 10; at++) await create(pogodoc, `app-${at}`);
    expect((await page(pogodoc, 'DELETE', `/${pogodoc.tokens()[0]!.id}`)).status).toBe(204);
    expect((await page(pogodoc, 'POST', '', { name: 'app-11' })).status).toBe(201);
  });

  test('refuses a deleted token with 401 from that moment on (D12, D31)', async () => {
    await using pogodoc = await openPogodoc();
    const { id, token } = await create(pogodoc, 'dev-local');
    expect((await render(pogodoc, `Bearer ${token}`)).status).toBe(200);
    await page(pogodoc, 'DELETE', `/${id}`);
    const answer = await render(pogodoc, `Bearer ${token}`);
    expect([answer.status, await answer.json()]).toEqual([401, { error: 'UNAUTHORIZED', message: 'Unauthorized' }]);
  });

  test('lists active and deleted tokens apart, with name, creation date and documents (D26, D27, D29)', async () => {
    const clock = new FakeClock();
    await using pogodoc = await openPogodoc({ clock });
    const { id } = await create(pogodoc, 'old-app');
    await create(pogodoc, 'new-app');
    clock.advance(3_600);
    await page(pogodoc, 'DELETE', `/${id}`);
    expect(await list(pogodoc)).toMatchObject([{ name: 'new-app', deletedAt: null }]);
    expect(await list(pogodoc, 'deleted')).toMatchObject([{ name: 'old-app', deletedAt: '2030-01-01T01:00:00Z' }]);
  });

  test('a second deletion is 404, and what was deleted does not come back (D33)', async () => {
    await using pogodoc = await openPogodoc();
    const { id } = await create(pogodoc, 'dev-local');
    expect((await page(pogodoc, 'DELETE', `/${id}`)).status).toBe(204);
    expect((await page(pogodoc, 'DELETE', `/${id}`)).status).toBe(404);
    expect((await page(pogodoc, 'POST', `/${id}/restore`)).status).toBe(404);
  });

  test('counts documents by token (D13, D28)', async () => {
    await using pogodoc = await openPogodoc();
    const [one, two] = [await create(pogodoc, 'one'), await create(pogodoc, 'two')];
    for (const { token } of [one, one, two]) await render(pogodoc, `Bearer ${token}`);
    expect((await list(pogodoc)).map(({ name, documents }) => [name, documents])).toEqual([
      ['one', 2],
      ['two', 1],
    ]);
  });

  test.each([
    ['without Bearer (D44)', (token: string) => token],
    ['cut short (D41)', (token: string) => `Bearer ${token.slice(0, -1)}`],
    ['with a space inside (D41)', (token: string) => `Bearer  ${token}`],
    ['in another scheme (D44)', (token: string) => `Token ${token}`],
  ])('refuses a token %s with 401', async (_, header) => {
    await using pogodoc = await openPogodoc();
    const { token } = await create(pogodoc, 'dev-local');
    expect((await render(pogodoc, header(token))).status).toBe(401);
  });

  test('refuses every token with 401 when the subscription has lapsed (D43)', async () => {
    await using pogodoc = await openPogodoc();
    const { token } = await create(pogodoc, 'dev-local');
    pogodoc.plan = 'lapsed';
    expect((await render(pogodoc, `Bearer ${token}`)).status).toBe(401);
    pogodoc.plan = 'active';
    expect((await render(pogodoc, `Bearer ${token}`)).status).toBe(200);
  });

  test('makes no token without a plan (D45)', async () => {
    await using pogodoc = await openPogodoc();
    pogodoc.plan = 'none';
    const answer = await page(pogodoc, 'POST', '', { name: 'dev-local' });
    expect([answer.status, await answer.json()]).toMatchObject([402, { error: 'NO_ACTIVE_PLAN' }]);
  });

  test('lists and makes tokens for a person who is signed in, not for a token (D3)', async () => {
    await using pogodoc = await openPogodoc();
    const { token } = await create(pogodoc, 'dev-local');
    for (const method of ['GET', 'POST']) {
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${pogodoc.url}/v1/api-tokens`, { method, headers })).status).toBe(401);
    }
  });

  testFaults(async () => {
    const pogodoc = await openPogodoc();
    const { token } = await create(pogodoc, 'dev-local');
    return { standIn: pogodoc, probe: (options) => render(pogodoc, `Bearer ${token}`, options) };
  });

  test('a deletion whose answer was lost has happened all the same', async () => {
    await using pogodoc = await openPogodoc();
    const { id } = await create(pogodoc, 'dev-local');
    pogodoc.fail('half-a-body', { only: /^DELETE /, times: 1 });
    await expect(page(pogodoc, 'DELETE', `/${id}`).then((answer) => answer.text())).rejects.toThrow();
    expect((await page(pogodoc, 'DELETE', `/${id}`)).status).toBe(404);
  });
});
