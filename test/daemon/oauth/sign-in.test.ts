import { afterEach, describe, expect, test } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { type Asked, aPair, openLoginProvider, refusal, type Said } from '../../fakes/login-provider.ts';

const target = { protocol: 'https', host: 'git.example' };

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** An agent and its provider, which answers what the test says. */
async function atProvider(answer: (asked: Asked, count: number) => Said, device: object = {}) {
  const provider = await openLoginProvider(answer, {}, device);
  opened.push(() => provider.close());
  const clock = new FakeClock();
  const backend = await openMemory({ keep: heapSecret });
  const login = await openLoginAgent({ open: async () => backend, clock });
  opened.push(() => login[Symbol.asyncDispose]());
  const step = async (action: string, fields: Record<string, string>) => {
    const attributes = new Attributes();
    for (const [key, value] of Object.entries(fields))
      attributes.add(key, key === 'password' ? secretFromText(value) : value);
    const reply = (await login.handler(aRequest(action, { ...target, attributes })))!;
    const { pending, interval, ...rest } = Object.fromEntries(reply.details ?? []);
    const { login: handle = '', url_complete: whole } = rest;
    return { status: reply.status, message: reply.message, pending, interval, login: handle, whole };
  };
  const own = { issuer: provider.issuer, client_id: 'keyhold' };
  return {
    clock,
    provider,
    get: async () => shown(await login.agent.get(aRequest('get', target), agentItself)),
    begin: (way: string, more = {}) => step('authorize', { way, ...own, ...more }),
    poll: (handle: string) => step('authorized', { login: handle }),
    refresh: () => login.refresher.refresh(login.credentials.entries.find(target, () => true)!, true),
  };
}

describe('a login by a code', () => {
  test('is asked for five seconds later from each slow_down on (RFC 8628, 3.5), and not for less again', async () => {
    const said = ['authorization_pending', 'slow_down', 'authorization_pending', 'slow_down', 'slow_down'];
    const agent = await atProvider((_, count) => (said[count - 1] ? refusal(said[count - 1]!) : aPair('two')));
    const { login, interval } = await agent.begin('device');
    expect(interval).toBe('1');
    const pauses: (string | undefined)[] = [];
    for (const _ of said) pauses.push((await agent.poll(login)).interval);
    expect(pauses).toEqual(['1', '6', '6', '11', '16']);
    expect(await agent.poll(login)).toMatchObject({ status: 'ok', pending: undefined });
    expect(await agent.get()).toBe('oauth2 two-EXAMPLE');
    for (const { form } of agent.provider.asked) expect(form.get('device_code')).toBe('device-EXAMPLE');
  });

  test.each([
    ['access_denied', 'denied'],
    ['expired_token', 'interaction-required'],
    ['invalid_grant', 'interaction-required'],
  ])('is over once the provider says %s, and nobody asks it again', async (error, status) => {
    const agent = await atProvider(() => refusal(error));
    const { login } = await agent.begin('device');
    expect(await agent.poll(login)).toMatchObject({ status });
    expect(await agent.poll(login)).toMatchObject({ status: 'not-found' });
    expect(agent.provider.asked).toHaveLength(1);
    expect(await agent.get()).toBe('not-found');
  });

  test('outlives an outage of the provider, and not its own time', async () => {
    const agent = await atProvider((_, count) =>
      refusal(count < 3 ? 'server_error' : 'slow_down', count < 3 ? 503 : 400),
    );
    const { login } = await agent.begin('device');
    for (const _ of [1, 2]) expect(await agent.poll(login)).toMatchObject({ status: 'unavailable' });
    expect(await agent.poll(login)).toMatchObject({ status: 'ok', pending: '1', interval: '6' });
    agent.clock.advance(601);
    expect(await agent.poll(login)).toMatchObject({ status: 'not-found' });
    expect(agent.provider.asked).toHaveLength(3);
  });
});

describe("a provider's answer to a device (RFC 8628, 3.2)", () => {
  const none = () => refusal('authorization_pending');

  test.each([
    ['nothing', undefined, '5'],
    ['half a second', 0.5, '1'],
    ['seven seconds', 7, '7'],
  ])('that names %s between two questions is asked no faster than each second', async (_, given, interval) => {
    const agent = await atProvider(none, { interval: given });
    expect(await agent.begin('device')).toMatchObject({ status: 'ok', interval });
  });

  test.each([
    ['a pause longer than its code lives', { interval: 1e12 }, 'unavailable', /every 1000000000000 s/],
    ['a page of another kind', { verification_uri: 'javascript:alert(1)' }, 'denied', /none of https/],
    ['a page in the clear', { verification_uri: 'http://login.example/' }, 'denied', /none of https/],
    ['a control character in the code', { user_code: 'WX\u001b[2J' }, 'unavailable', /control character/],
    ['an empty code', { user_code: '' }, 'unavailable', /./],
  ])('with %s is refused with the reason', async (_, device, status, message) => {
    const agent = await atProvider(none, device);
    expect(await agent.begin('device')).toMatchObject({ status, message: expect.stringMatching(message) });
    expect(agent.provider.asked).toEqual([]);
  });

  test('shows no page with the code in it that is none of https', async () => {
    const agent = await atProvider(none, { verification_uri_complete: 'javascript:alert(1)' });
    expect(await agent.begin('device')).toMatchObject({ status: 'ok', whole: undefined });
  });
});

describe("a client's own secret", () => {
  const secret = 'robot-EXAMPLE';
  const [header, body] = [`header keyhold:${secret}`, `form keyhold:${secret}`];
  /** How the client said who it is; in the header both parts are form-encoded first. */
  const shape = ({ form, headers: { authorization } }: Asked) =>
    authorization === undefined
      ? `form ${form.get('client_id')}:${form.get('client_secret')}`
      : `header ${decodeURIComponent(Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString())}`;

  test('goes in the header (RFC 6749, 2.3.1), and once only where that is taken', async () => {
    const agent = await atProvider(() => aPair('two'));
    expect(await agent.begin('client', { password: secret })).toMatchObject({ status: 'ok' });
    expect(agent.provider.asked.map(shape)).toEqual([header]);
  });

  test.each([400, 401])(
    'goes in the form where a server says %i to the header, also when it is refreshed',
    async (status) => {
      const agent = await atProvider(({ headers }, count) =>
        headers.authorization === undefined ? aPair(`round-${count}`) : refusal('invalid_client', status),
      );
      expect(await agent.begin('client', { password: secret })).toMatchObject({ status: 'ok' });
      expect(await agent.get()).toBe('oauth2 round-2-EXAMPLE');
      expect((await agent.refresh()).status).toBe('refreshed');
      expect(await agent.get()).toBe('oauth2 round-4-EXAMPLE');
      expect(agent.provider.asked.map(shape)).toEqual([header, body, header, body]);
    },
  );

  test.each([
    [403, 'unavailable', 1],
    [503, 'unavailable', 1],
    [401, 'denied', 2],
  ])(
    'is not tried in the form after a %i that says nothing of the way, nor more than once',
    async (status, heard, calls) => {
      const agent = await atProvider(() => refusal(status === 401 ? 'invalid_client' : 'server_error', status));
      expect(await agent.begin('client', { password: secret })).toMatchObject({ status: heard });
      expect(agent.provider.asked).toHaveLength(calls);
      expect(await agent.get()).toBe('not-found');
    },
  );
});
