import { afterEach, describe, expect, test } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { expose, heapSecret } from '../../../protocol/secret.ts';

import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { aPair, openLoginProvider } from '../../fakes/login-provider.ts';
import { aManifest } from '../../protocol/services/manifests.ts';

const target = { protocol: 'https', host: 'git.example' };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** An agent at a provider whose tokens say nothing of the person; the service of the place knows whose each is. */
async function atService(owners: Readonly<Record<string, string>>) {
  const revoked: string[] = [];
  let rounds = 0;
  const metadata = { revocation_endpoint: '' };
  const provider = await openLoginProvider(({ form }) => {
    if (form.has('token')) revoked.push(form.get('token')!);
    return form.has('token') ? { body: {} } : aPair(`round-${++rounds}`);
  }, metadata);
  opened.push(() => provider.close());
  metadata.revocation_endpoint = `${provider.issuer}/token`;
  const service = aManifest({
    hosts: [{ host: 'git.example' }, { host: '127.0.0.1' }],
    oauth: {
      issuer: provider.issuer,
      clientId: 'keyhold',
      grants: ['device'],
    },
  });
  const clock = new FakeClock();
  const backend = await openMemory({ keep: heapSecret });
  const login = await openLoginAgent({
    open: async () => backend,
    clock,
    services: [service],
    whoseToken: async (_, { secret }) => ({ name: owners[Buffer.from(expose(secret)).toString()] }),
  });
  opened.push(() => login[Symbol.asyncDispose]());
  const step = async (action: string, fields: Record<string, string>): Promise<Record<string, string | undefined>> => {
    const attributes = new Attributes();
    for (const [key, value] of Object.entries(fields)) attributes.add(key, value);
    const reply = (await login.handler(aRequest(action, { ...target, attributes })))!;
    const { status, message } = reply;
    return { ...Object.fromEntries(reply.details ?? []), status, message };
  };
  return {
    clock,
    revoked,
    step,
    signIn: async () => {
      const { login: handle = '' } = await step('authorize', { way: 'device', service: service.id });
      return step('authorized', { login: handle });
    },
    held: () => login.credentials.entries.find(target, () => true),
    get: async () => shown(await login.agent.get(aRequest('get', target), agentItself)),
  };
}

describe('a login at a place where a login is kept', () => {
  const both = { 'round-1-EXAMPLE': 'ada', 'round-2-EXAMPLE': 'grace' };

  test('of another account is withheld, and names both accounts', async () => {
    const agent = await atService(both);
    const [first, second] = [await agent.signIn(), await agent.signIn()];
    expect(first.status).toBe('ok');
    expect(second).toMatchObject({ status: 'interaction-required', replaces: first['id'], account: 'grace' });
    expect(second.message).toBe(
      'cannot sign in: the account is grace, and a login of ada is kept there; nothing was changed',
    );
    expect(await agent.get()).toBe('oauth2 round-1-EXAMPLE');
  });

  test('takes its place where the person agrees, and lives as long as the provider said when it granted it', async () => {
    const agent = await atService(both);
    await agent.signIn();
    const { login = '', replaces = '' } = await agent.signIn();
    agent.clock.advance(300);
    expect(await agent.step('authorized', { login, replace: replaces })).toMatchObject({
      status: 'ok',
      refreshes: '1',
    });
    expect(await agent.get()).toBe('oauth2 round-2-EXAMPLE');
    expect(await agent.step('authorized', { login, replace: replaces })).toMatchObject({ status: 'not-found' });
    expect(agent.held()).toMatchObject({ about: { account: 'grace' }, expiresAt: agent.clock.now() + 3_600 - 300 });
  });

  test('is revoked at the provider where the person does not agree', async () => {
    const agent = await atService(both);
    await agent.signIn();
    const { login = '' } = await agent.signIn();
    expect(await agent.step('authorized', { login, drop: '1' })).toMatchObject({ status: 'ok', upstream: 'revoked' });
    expect(agent.revoked).toEqual(['r-round-2-EXAMPLE']);
    expect(await agent.get()).toBe('oauth2 round-1-EXAMPLE');
  });

  test('does not take the place of a third that was kept while the person thought', async () => {
    const agent = await atService({ ...both, 'round-3-EXAMPLE': 'eve' });
    await agent.signIn();
    const [grace, eve] = [await agent.signIn(), await agent.signIn()];
    const replaceBy = ({ login = '', replaces = '' }: Record<string, string | undefined>) =>
      agent.step('authorized', { login, replace: replaces });
    expect(await replaceBy(grace)).toMatchObject({ status: 'ok' });
    expect(await replaceBy(eve)).toMatchObject({ status: 'denied' });
    expect(await agent.get()).toBe('oauth2 round-2-EXAMPLE');
  });

  test.each([
    ['the same', { 'round-1-EXAMPLE': 'ada', 'round-2-EXAMPLE': 'ada' }],
    ['an account that nothing tells', { 'round-1-EXAMPLE': 'ada' }],
  ])('of %s takes its place at once', async (_, owners) => {
    const agent = await atService(owners);
    await agent.signIn();
    expect(await agent.signIn()).toMatchObject({ status: 'ok' });
    expect(await agent.get()).toBe('oauth2 round-2-EXAMPLE');
  });
});
