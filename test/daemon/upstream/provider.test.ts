import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Backend } from '../../../daemon/backends/backend.ts';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { Grant } from '../../../protocol/grant.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, hasSettled, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { openTokenServer } from '../../fakes/token-server.ts';
import { temporaryFolder } from '../../temporary.ts';

/** Milliseconds that a provider gets here, on a machine at work, and one that never answers. */
const DEADLINE = 20_000;
const DEADLINE_OF_SILENT = 300;
const HOUR = 3_600;
const DAY = 24 * HOUR;

const target = { protocol: 'https', host: 'git.example', username: 'oauth2' };
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** A provider that answers what the test says; what it was told is kept. */
async function serve(listener: RequestListener) {
  const told: URLSearchParams[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    told.push(new URLSearchParams(Buffer.concat(parts).toString()));
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return { told, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** An agent that holds a login at `origin`, by a clock of the test's. */
async function aLogin(
  origin: string,
  {
    refresh = 'r-one-EXAMPLE',
    deadline = DEADLINE,
    lifetime = HOUR,
    open = () => openMemory({ keep: heapSecret }),
    ...more
  }: Partial<Grant> & {
    readonly refresh?: string;
    readonly deadline?: number;
    readonly open?: () => Promise<Backend>;
  } = {},
) {
  const clock = new FakeClock();
  const backend = await open();
  const login = await openLoginAgent({ open: async () => backend, clock, deadline });
  opened.push({ close: () => login[Symbol.asyncDispose]() });
  const oauth: Grant = {
    issuer: origin,
    clientId: 'keyhold',
    tokenUrl: `${origin}/token`,
    by: 'refresh-token',
    subject: 'ada',
    lifetime,
    round: 0,
    ...more,
  };
  const held = { ...target, id: 'a1', storedAt: clock.now(), expiresAt: clock.now() + lifetime, about: { oauth } };
  const secrets = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText(refresh) };
  await login.credentials.changes.put(held, secrets);
  const entry = () => login.credentials.entries.at(target)!;
  return {
    ...login,
    clock,
    backend,
    entry,
    get: async (fields = {}) => shown(await login.agent.get(aRequest('get', { ...target, ...fields }), agentItself)),
    /** The refresh token at rest, and what is noted of the family. */
    async rests() {
      const kept = await backend.get(entry().resting!);
      const { begunAt, ended } = entry().resting!.about!.oauth!;
      const mark = ended ?? (begunAt === undefined ? 'well' : 'unknown');
      return `${Buffer.from(expose(kept!.refreshToken!)).toString()} ${mark}`;
    },
  };
}

const json = (document: object, status = 200, headers = {}) =>
  ((_, response) => response.writeHead(status, headers).end(JSON.stringify(document))) satisfies RequestListener;
const tokens = (more: object = {}) =>
  json({
    access_token: 'two-EXAMPLE',
    refresh_token: 'r-two-EXAMPLE',
    token_type: 'bearer',
    expires_in: HOUR,
    ...more,
  });
const idToken = (sub: string) => `e30.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.e30`;
const silent: RequestListener = () => {};
const half: RequestListener = (_, response) => {
  response.writeHead(200, { 'content-length': '500' });
  response.write('{"access_token":"two-EX', () => response.destroy());
};
const ten = Buffer.alloc(10_485_760, 0x61);

describe('a provider', () => {
  // What it answers; what whoever asked for a refresh hears, what rests, and the token that is served until its end.
  test.each<[string, RequestListener, string, string, string]>([
    ['gives a new pair', tokens(), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['gives no new refresh token', tokens({ refresh_token: undefined }), 'refreshed', 'r-one-EXAMPLE well', 'two'],
    ['gives a lifetime of 0', tokens({ expires_in: 0 }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['gives a lifetime of -1', tokens({ expires_in: -1 }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['gives a lifetime in words', tokens({ expires_in: 'x' }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['gives a lifetime of 1e12', tokens({ expires_in: 1e12 }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['gives a lifetime as an object', tokens({ expires_in: {} }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    ['says the same person', tokens({ id_token: idToken('ada') }), 'refreshed', 'r-two-EXAMPLE well', 'two'],
    [
      'says another',
      tokens({ id_token: idToken('eve') }),
      'interaction-required',
      'r-one-EXAMPLE other-subject',
      'one',
    ],
    [
      'says invalid_grant',
      json({ error: 'invalid_grant' }, 400),
      'interaction-required',
      'r-one-EXAMPLE refused',
      'one',
    ],
    ['says 500', json({ error: 'server_error' }, 500), 'unavailable', 'r-one-EXAMPLE well', 'one'],
    ['says 403', json({ error: 'access_denied' }, 403), 'unavailable', 'r-one-EXAMPLE well', 'one'],
    ['says 429', json({}, 429, { 'retry-after': '30' }), 'unavailable', 'r-one-EXAMPLE well', 'one'],
    ['says invalid_client', json({ error: 'invalid_client' }, 401), 'unavailable', 'r-one-EXAMPLE well', 'one'],
    ['shows a page', (_, response) => response.end('<!doctype html>'), 'unavailable', 'r-one-EXAMPLE well', 'one'],
    ['answers nothing in time', silent, 'interaction-required', 'r-one-EXAMPLE unknown', 'one'],
    ['answers half', half, 'interaction-required', 'r-one-EXAMPLE unknown', 'one'],
    [
      'answers ten megabytes',
      (_, response) => response.end(ten),
      'interaction-required',
      'r-one-EXAMPLE unknown',
      'one',
    ],
    ['gives a token of the wrong type', tokens({ access_token: 7 }), 'unavailable', 'r-one-EXAMPLE well', 'one'],
  ])('that %s', async (_, listener, heard, rests, served) => {
    const { origin, told } = await serve(listener);
    const login = await aLogin(origin, { deadline: listener === silent ? DEADLINE_OF_SILENT : DEADLINE });
    const outcome = await login.refresher.refresh(login.entry());
    expect(outcome.status === 'failed' ? outcome.reply.status : outcome.status).toBe(heard);
    expect(await login.rests()).toBe(rests);
    expect(told.map((one) => one.get('refresh_token'))).toEqual(['r-one-EXAMPLE']);
    expect(await login.get()).toBe(`oauth2 ${served}-EXAMPLE`);
    // What may be spent is not tried again by itself, nor what has ended.
    if (heard === 'interaction-required') {
      login.clock.advance(2 * HOUR);
      expect(await login.get()).toBe('interaction-required');
      expect(told).toHaveLength(1);
    }
  });

  test('that sends on to another host: nothing goes there', async () => {
    const elsewhere = await serve(tokens());
    const redirect: RequestListener = (_, response) =>
      response.writeHead(307, { location: `${elsewhere.origin}/token` }).end();
    const login = await aLogin((await serve(redirect)).origin);
    expect(await login.refresher.refresh(login.entry())).toMatchObject({ reply: { status: 'unavailable' } });
    expect(await login.rests()).toBe('r-one-EXAMPLE well');
    expect(elsewhere.told).toEqual([]);
  });

  test.each(['http://192.0.2.1', 'http://id.invalid', 'http://127.0.0.1.id.invalid'])(
    'at %s is not asked: without TLS that is for this machine only',
    async (issuer) => {
      const login = await aLogin(issuer);
      expect(await login.refresher.refresh(login.entry())).toMatchObject({ reply: { status: 'unavailable' } });
      expect(await login.rests()).toBe('r-one-EXAMPLE well');
      const attributes = new Attributes();
      for (const [key, value] of Object.entries({ way: 'device', issuer, client_id: 'keyhold' }))
        attributes.add(key, value);
      const reply = await login.handler(aRequest('authorize', { ...target, attributes }));
      expect(reply).toMatchObject({ status: 'denied' });
    },
  );

  test('that finds a refresh token used before: the login has ended, is told, and one new login serves all who wait', async () => {
    const server = await openTokenServer();
    opened.push(server);
    const { refresh } = server.begin('ada');
    const login = await aLogin(server.issuer, { refresh });
    // A thief was there first.
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refresh });
    await fetch(server.tokenUrl, { method: 'POST', body });
    login.clock.advance(HOUR);
    expect(await login.get()).toBe('interaction-required');
    expect(server.families.get('ada')).toMatchObject({ spent: 1, reused: 1 });
    // A tool that was refused says nothing about the login: it stays known until somebody signs in.
    expect(shown(await login.agent.erase(aRequest('erase', target), agentItself))).toBe('ok');
    expect(await login.get()).toBe('interaction-required');
    expect(login.refresher.degradations()).toMatchObject([{ code: 'login-ended' }]);
    const waiting = Promise.all(Array.from({ length: 8 }, () => login.get({ wait: 60 })));
    expect(await hasSettled(waiting)).toBe(false);
    const next = { ...target, id: 'b2', storedAt: login.clock.now(), expiresAt: login.clock.now() + HOUR };
    await login.credentials.changes.put(next, { secret: secretFromText('new-EXAMPLE') });
    expect(new Set(await waiting)).toEqual(new Set(['oauth2 new-EXAMPLE']));
    expect(server.families.get('ada')).toMatchObject({ spent: 1, reused: 1 });
  });
});

describe('the page that a provider names', () => {
  test.each(['file:///etc/passwd', 'vscode://open', 'http://login.example/page'])(
    'is shown to nobody at %s',
    async (page) => {
      const { origin } = await serve((request, response) => {
        json({ issuer: origin, authorization_endpoint: page, token_endpoint: `${origin}/token` })(request, response);
      });
      const login = await aLogin(origin);
      const attributes = new Attributes();
      const fields = { way: 'browser', issuer: origin, client_id: 'keyhold', redirect: 'http://127.0.0.1:34567/back' };
      for (const [key, value] of Object.entries(fields)) attributes.add(key, value);
      const said = await login.handler(aRequest('authorize', { ...target, attributes }));
      expect(said).toMatchObject({ status: 'denied' });
      expect(JSON.stringify(said)).not.toContain(page);
    },
  );
});

describe('how long a provider is left alone', () => {
  const now = new Date('2031-05-05T10:00:00Z');
  const busy = (retryAfter: string): RequestListener =>
    json({ error: 'slow' }, 429, { 'retry-after': retryAfter, date: now.toUTCString() });
  test.each([
    ['in seconds', '90'],
    ['as a date, by its own clock', new Date(now.getTime() + 90_000).toUTCString()],
  ])('it says %s', async (_, retryAfter) => {
    const { origin, told } = await serve(busy(retryAfter));
    const login = await aLogin(origin);
    const first = await login.refresher.refresh(login.entry());
    expect(first).toMatchObject({ reply: { message: expect.stringContaining('again in 90 s') } });
    login.clock.advance(89);
    await login.refresher.refresh(login.entry());
    expect(told).toHaveLength(1);
    login.clock.advance(1);
    await login.refresher.refresh(login.entry());
    expect(told).toHaveLength(2);
  });

  test.each([
    ['seconds', '90'],
    ['a date', new Date(now.getTime() + 90_000).toUTCString()],
  ])('it says in %s to who exchanges a code', async (_, retryAfter) => {
    const { origin } = await serve((request, response) => {
      if (request.method === 'POST') return busy(retryAfter)(request, response);
      const of = (path: string) => `${origin}/${path}`;
      json({ issuer: origin, authorization_endpoint: of('page'), token_endpoint: of('token') })(request, response);
    });
    const login = await aLogin(origin);
    const ask = async (action: string, fields: Record<string, string>) => {
      const attributes = new Attributes();
      for (const [key, value] of Object.entries(fields))
        attributes.add(key, key === 'code' ? secretFromText(value) : value);
      return (await login.handler(aRequest(action, { ...target, attributes })))!;
    };
    const redirect = 'http://127.0.0.1:34567/back';
    const begun = await ask('authorize', { way: 'browser', issuer: origin, client_id: 'keyhold', redirect });
    const details = new Map(begun.status === 'ok' ? begun.details : []);
    const back = { login: details.get('login')!, state: details.get('state')!, code: 'code-EXAMPLE' };
    const reply = await ask('authorized', back);
    expect(reply).toMatchObject({ status: 'unavailable', message: expect.stringContaining('again in 90 s') });
  });
});

describe('time', () => {
  const down: RequestListener = (_, response) => response.writeHead(503).end();

  test('an hour of outage costs no login: the token that ages is served, and few calls go out', async () => {
    let isDown = true;
    const { origin, told } = await serve((request, response) => (isDown ? down : tokens())(request, response));
    const login = await aLogin(origin, { lifetime: 8 * HOUR, leeway: 2 * HOUR });
    login.clock.advance(6 * HOUR);
    for (let minute = 0; minute < 60; minute++) {
      login.clock.advance(60);
      expect(await login.get()).toBe('oauth2 one-EXAMPLE');
      await settled(login);
    }
    expect(told.length).toBeGreaterThan(5);
    expect(told.length).toBeLessThan(30);
    expect(await login.rests()).toBe('r-one-EXAMPLE well');
    isDown = false;
    login.clock.advance(300);
    expect(await login.get()).toBe('oauth2 one-EXAMPLE');
    await settled(login);
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
  });

  test.each([
    ['forward', '2031-01-01T00:00:00Z', 'two'],
    ['back', '2029-01-01T00:00:00Z', 'one'],
  ])('a wall clock that is set %s by a year: no dead token is served, and the login is kept', async (_, at, served) => {
    const { origin, told } = await serve(tokens());
    const login = await aLogin(origin);
    expect(await login.get()).toBe('oauth2 one-EXAMPLE');
    login.clock.set(at);
    expect(await login.get()).toBe(`oauth2 ${served}-EXAMPLE`);
    login.clock.advance(HOUR);
    // An hour of the boot-time clock is an hour, whatever the wall says.
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
    expect(told.length).toBe(served === 'two' ? 2 : 1);
    expect(await login.rests()).toBe('r-two-EXAMPLE well');
  });

  test('a night of suspend: what died in it is refreshed before the first answer', async () => {
    const { origin, told } = await serve(tokens());
    const login = await aLogin(origin);
    expect(await login.get()).toBe('oauth2 one-EXAMPLE');
    login.clock.advance(12 * HOUR);
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
    expect(told).toHaveLength(1);
  });

  test('a token of sixty days is refreshed once, in its last quarter of an hour', async () => {
    const { origin, told } = await serve(tokens({ expires_in: 60 * DAY }));
    const login = await aLogin(origin, { lifetime: 60 * DAY });
    for (let hours = 1; hours < 60 * 24; hours++) {
      login.clock.advance(HOUR);
      expect(await login.get()).toBe('oauth2 one-EXAMPLE');
    }
    expect(told).toEqual([]);
    login.clock.advance(HOUR - 900);
    await login.get();
    await settled(login);
    expect(told).toHaveLength(1);
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
  });

  test('around its end no get is given a token that is over', async () => {
    const { origin } = await serve(down);
    const login = await aLogin(origin);
    login.clock.advance(HOUR - 0.0205);
    // A refresh is tried and fails: then what lives is served to its last millisecond.
    for (let left = 20.5; left > -20; left--) {
      expect(await login.get()).toBe(left > 0 ? 'oauth2 one-EXAMPLE' : 'unavailable');
      login.clock.advance(0.001);
    }
  });
});

describe('what another program has put at rest', () => {
  const inVault = () => {
    const { path, remove } = temporaryFolder('adopted');
    opened.push({ close: remove });
    return openVault({ folder: path, keep: heapSecret });
  };
  test.each([
    ['memory', undefined],
    ['the vault', inVault],
  ])('is adopted and served, not overwritten; what it put back is not: in %s', async (_, open) => {
    const { origin, told } = await serve(tokens());
    const login = await aLogin(origin, open && { open });
    await login.refresher.refresh(login.entry());
    const resting = login.entry().resting!;
    const put = (text: string) =>
      login.backend.put(resting, {
        secret: secretFromText(text),
        refreshToken: secretFromText('r-two-EXAMPLE'),
      });
    await put('theirs-EXAMPLE');
    login.clock.advance(HOUR);
    expect(await login.get()).toBe('oauth2 theirs-EXAMPLE');
    expect(told).toHaveLength(1);
    const kept = await login.backend.get(login.entry().resting!);
    expect(Buffer.from(expose(kept!.secret!)).toString()).toBe('theirs-EXAMPLE');
    // A server refuses it: our own way to a new one is still there.
    const refused = aRequest('erase', { ...target, password: 'theirs-EXAMPLE' });
    expect((await login.agent.erase(refused, agentItself)).status).toBe('ok');
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
    expect(told.map((one) => one.get('refresh_token'))).toEqual(['r-one-EXAMPLE', 'r-two-EXAMPLE']);
  });
});

/** Waits for a refresh that runs behind an answer. */
async function settled({ refresher, entry }: Awaited<ReturnType<typeof aLogin>>): Promise<void> {
  if (entry().about?.oauth?.begunAt === undefined) await new Promise(setImmediate);
  await expect.poll(() => entry().about?.oauth?.begunAt, { interval: 1 }).toBeUndefined();
  expect(refresher.isUnknown(entry())).toBe(false);
}
