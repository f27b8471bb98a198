import { mkdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import type { Emit } from '../../../daemon/events/agent-event.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { Grant } from '../../../protocol/grant.ts';
import type { Handler } from '../../../protocol/handler.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { fakeAgent } from '../../fakes/agent.ts';
import { exchange, get } from '../../fakes/built-agent.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { aRequest, hasSettled } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { aPair, openLoginProvider, refusal, type Said } from '../../fakes/login-provider.ts';
import { temporaryFolder } from '../../temporary.ts';

const CAPABLE = 'capability[]=keyhold';
const HOUR = 3_600;
const MANY = 16;

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const many = <T>(one: () => T): T[] => Array.from({ length: MANY }, one);

describe('gets that wait for an unlock, on sockets', () => {
  async function locked() {
    const said: string[] = [];
    const agent = await openComposed((event) => said.push(event), { backend: 'vault' });
    opened.push(() => agent.dispose());
    const ask = (...lines: string[]) => exchange(agent.socket, [...lines, CAPABLE]);
    await ask('action=store', 'protocol=https', 'host=b.test', 'username=ada', 'password=other-EXAMPLE');
    await ask('action=lock');
    const wanted = () => said.filter((event) => event === 'wanted').length;
    return {
      ...agent,
      ask,
      wanted,
      wait: (seconds: number) => exchange(agent.socket, get('b.test', `wait=${seconds}`)),
    };
  }
  const connected = async ({ ask }: { ask: (...lines: string[]) => Promise<string> }, count: number) =>
    expect.poll(() => ask('action=status')).toContain(`connections=${count + 1}\n`);

  test('are all answered by the one unlock, which is wanted once', async () => {
    const agent = await locked();
    const asked = many(() => agent.wait(100));
    await connected(agent, MANY);
    await expect.poll(agent.wanted).toBe(1);
    expect(await hasSettled(Promise.race(asked))).toBe(false);
    expect(await agent.ask('action=unlock', 'interactive=0')).toContain('status=ok');
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['status=ok\nusername=ada\npassword=other-EXAMPLE\n']));
    expect(agent.wanted()).toBe(1);
    // Locked anew, somebody is wanted anew.
    await agent.ask('action=lock');
    const again = agent.wait(100);
    await expect.poll(agent.wanted).toBe(2);
    await agent.ask('action=unlock');
    expect(await again).toContain('other-EXAMPLE');
  });

  test('wait each for its own time, and with nobody there not at all: the answer names the command', async () => {
    const agent = await locked();
    const told = 'status=locked\nmessage=the credentials are locked; run: keyhold unlock\n';
    expect(await exchange(agent.socket, get('b.test', 'wait=100', 'interactive=0'))).toBe(told);
    expect(await exchange(agent.socket, get('b.test'))).toBe(told);
    expect(agent.wanted()).toBe(0);
    const brief = agent.wait(10);
    await expect.poll(agent.wanted).toBe(1);
    const long = agent.wait(100);
    await connected(agent, 2);
    agent.clock.advance(11);
    expect(await brief).toBe(told);
    expect(await hasSettled(long)).toBe(false);
    await agent.ask('action=unlock');
    expect(await long).toContain('status=ok');
  });

  test('hear that it is locked when the agent ends', async () => {
    const agent = await locked();
    const asked = many(() => agent.wait(100));
    await connected(agent, MANY);
    opened.length = 0;
    await agent.dispose();
    for (const answer of await Promise.all(asked)) expect(answer).toContain('status=locked');
  });
});

describe('gets that wait for a login, on a socket', () => {
  const host = 'git.example';
  const target = { protocol: 'https', host, username: 'oauth2' };

  /** An agent at a provider that answers what the test says; with `ended` it holds a login that has. */
  async function aLogin(answer: (count: number) => Said, { ended }: { ended: boolean }) {
    const provider = await openLoginProvider((_, count) => answer(count));
    opened.push(() => provider.close());
    const clock = new FakeClock();
    const { path, remove } = temporaryFolder('waiters');
    opened.push(remove);
    mkdirSync(`${path}/state`, { mode: 0o700 });
    const said: string[] = [];
    const told: Emit = (event) => said.push(`${event.kind} ${('id' in event && event.id) || ''}`);
    const login = await openLoginAgent({
      open: () => openVault({ folder: `${path}/state`, keep: heapSecret }),
      clock,
      told,
    });
    opened.push(() => login[Symbol.asyncDispose]());
    if (ended) {
      const oauth: Grant = {
        issuer: provider.issuer,
        clientId: 'keyhold',
        tokenUrl: `${provider.issuer}/token`,
        by: 'refresh-token',
        lifetime: HOUR,
        round: 0,
        ended: 'refused',
      };
      const held = { ...target, id: 'a1', storedAt: clock.now(), expiresAt: clock.now() + 1, about: { oauth } };
      const secrets = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText('r-one-EXAMPLE') };
      await login.credentials.changes.put(held, secrets);
      clock.advance(HOUR);
    }
    let asking = 0;
    const handler: Handler = (request) => {
      asking++;
      return login.agent.get(request, agentItself);
    };
    const listener = await fakeAgent({ socket: `${path}/run/agent.sock`, handler });
    opened.push(() => listener[Symbol.asyncDispose]());
    const step = async (action: string, fields: Record<string, string>) => {
      const attributes = new Attributes();
      for (const [key, value] of Object.entries(fields)) attributes.add(key, value);
      const reply = (await login.handler(aRequest(action, { ...target, attributes })))!;
      return { ...reply, details: new Map(reply.status === 'ok' ? reply.details : []) };
    };
    return {
      clock,
      credentials: login.credentials,
      provider,
      wanted: () => said.filter((line) => line.startsWith('wanted')),
      wait: (...more: string[]) => exchange(listener.socket, get(host, ...more)),
      asked: (count: number) => expect.poll(() => asking).toBe(count),
      begin: async () => {
        const { details } = await step('authorize', { way: 'device', issuer: provider.issuer, client_id: 'keyhold' });
        return details.get('login')!;
      },
      poll: (login: string) => step('authorized', { login }),
      end: (login: string) => step('authorized', { login, error: 'access_denied' }),
    };
  }
  const served = 'status=ok\nusername=oauth2\npassword=two-EXAMPLE\npassword_expiry_utc=';

  test('that has ended are all answered by the new one, which is wanted once, for its token', async () => {
    const login = await aLogin((count) => (count < 3 ? refusal('authorization_pending') : aPair('two')), {
      ended: true,
    });
    const command = `run: keyhold auth login --for https://${host}`;
    expect(await login.wait('wait=100', 'interactive=0')).toContain(command);
    expect(await login.wait()).toContain('status=interaction-required');
    expect(login.wanted()).toEqual([]);
    const asked = many(() => login.wait('wait=100'));
    const brief = login.wait('wait=10');
    await login.asked(MANY + 3);
    await expect.poll(login.wanted).toEqual(['wanted a1']);
    login.clock.advance(11);
    expect(await brief).toContain(command);
    const handle = await login.begin();
    for (const pending of ['1', '1', undefined]) {
      expect(await hasSettled(Promise.race(asked))).toBe(false);
      expect((await login.poll(handle)).details.get('pending')).toBe(pending);
    }
    for (const answer of await Promise.all(asked)) expect(answer).toContain(served);
    expect(login.wanted()).toEqual(['wanted a1']);
    expect(login.provider.asked).toHaveLength(3);
  });

  test('that is under way are answered by it, where nothing was held before; nobody is wanted', async () => {
    const login = await aLogin(() => aPair('two'), { ended: false });
    expect(await login.wait('wait=100')).toContain('status=not-found');
    const handle = await login.begin();
    expect(await login.wait('wait=100', 'username=bob')).toContain('status=not-found');
    expect(await login.wait('wait=100', 'interactive=0')).toContain('status=not-found');
    const asked = many(() => login.wait('wait=100'));
    await login.asked(MANY + 3);
    expect(await hasSettled(Promise.race(asked))).toBe(false);
    await login.poll(handle);
    for (const answer of await Promise.all(asked)) expect(answer).toContain(served);
    expect(login.wanted()).toEqual([]);
  });

  test('that comes to nothing hear so at once', async () => {
    const login = await aLogin(() => aPair('two'), { ended: false });
    const handle = await login.begin();
    const asked = many(() => login.wait('wait=100'));
    await login.asked(MANY);
    expect(await hasSettled(Promise.race(asked))).toBe(false);
    await login.end(handle);
    for (const answer of await Promise.all(asked)) expect(answer).toContain('status=not-found');
  });

  test('are answered by a token that somebody stores, under another name too', async () => {
    const login = await aLogin(() => aPair('two'), { ended: true });
    const asked = many(() => login.wait('wait=100'));
    await login.asked(MANY);
    await expect.poll(login.wanted).toHaveLength(1);
    const held = { ...target, username: 'bob', id: 'b2', storedAt: login.clock.now() + 1 };
    await login.credentials.changes.put(held, { secret: secretFromText('stored-EXAMPLE') });
    for (const answer of await Promise.all(asked)) expect(answer).toContain('password=stored-EXAMPLE');
  });

  test('have one time for all that comes in the way', async () => {
    const login = await aLogin(() => aPair('two'), { ended: true });
    await login.credentials.lifecycle.lock();
    const asked = login.wait('wait=100');
    await expect.poll(login.wanted).toEqual(['wanted ']);
    login.clock.advance(60);
    await login.credentials.lifecycle.unlock({ mayPrompt: false });
    await expect.poll(login.wanted).toEqual(['wanted ', 'wanted a1']);
    expect(await hasSettled(asked)).toBe(false);
    login.clock.advance(41);
    expect(await asked).toContain('status=interaction-required');
  });
});
