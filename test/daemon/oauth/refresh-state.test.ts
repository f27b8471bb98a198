import { afterEach, describe, expect, test } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import type { Grant } from '../../../protocol/grant.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { aPair, openLoginProvider, refusal, type Said } from '../../fakes/login-provider.ts';

const HOUR = 3_600;
const target = { protocol: 'https', host: 'git.example', username: 'oauth2' };
const command = 'keyhold auth login --for https://git.example';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** A login whose provider answers `said`, and what is explained of it. */
async function aLogin(said: Said, more: Partial<Grant> = {}) {
  const provider = await openLoginProvider(() => said);
  opened.push(() => provider.close());
  const clock = new FakeClock();
  const backend = await openMemory({ keep: heapSecret });
  const login = await openLoginAgent({ open: async () => backend, clock });
  opened.push(() => login[Symbol.asyncDispose]());
  const oauth: Grant = {
    issuer: provider.issuer,
    clientId: 'keyhold',
    tokenUrl: `${provider.issuer}/token`,
    by: 'refresh-token',
    lifetime: HOUR,
    round: 0,
    ...more,
  };
  const start = clock.now();
  const held = { ...target, id: 'a1', storedAt: start, expiresAt: start + HOUR, about: { oauth } };
  const secrets = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText('r-one-EXAMPLE') };
  await login.credentials.changes.put(held, secrets);
  return {
    clock,
    start,
    asked: provider.asked,
    refresh: () => login.refresher.refresh(login.credentials.entries.at(target)!),
    get: async () => shown(await login.agent.get(aRequest('get', target), agentItself)),
    async explained() {
      const reply = await login.agent.explain(aRequest('explain', target));
      const details = new Map(reply.details);
      expect([...details.values()].join()).not.toContain('EXAMPLE');
      const { verdict, refresh } = JSON.parse(details.get('candidate[]')!);
      return { outcome: details.get('outcome'), human: details.get('human'), verdict, refresh };
    },
  };
}

describe('what is explained of a login', () => {
  test('of when its token is, and when that is due once somebody has asked for it', async () => {
    const login = await aLogin(aPair('two'));
    const given = { outcome: 'ok', verdict: 'given', human: 'nothing' };
    expect(await login.explained()).toEqual({ ...given, refresh: { state: 'well', refreshedAt: login.start } });
    await login.get();
    // The whole of the last quarter of an hour, because chance is none here.
    const refresh = { state: 'well', refreshedAt: login.start, dueAt: login.start + HOUR - 900 };
    expect(await login.explained()).toEqual({ ...given, refresh });
    expect(login.asked).toEqual([]);
    login.clock.advance(600);
    await login.refresh();
    const later = { state: 'well', refreshedAt: login.start + 600, dueAt: login.start + 600 + HOUR - 900 };
    expect(await login.explained()).toEqual({ ...given, refresh: later });
  });

  test('one that is over and would be refreshed first counts as given, and is not refreshed by that', async () => {
    const login = await aLogin(aPair('two'));
    login.clock.advance(2 * HOUR);
    expect(await login.explained()).toMatchObject({ outcome: 'ok', verdict: 'given', refresh: { state: 'well' } });
    expect(login.asked).toEqual([]);
    expect(await login.get()).toBe('oauth2 two-EXAMPLE');
  });

  test('that its provider is left alone, and until when', async () => {
    const login = await aLogin(refusal('server_error', 503));
    await login.get();
    await login.refresh();
    const retryAt = login.start + 1;
    expect(await login.explained()).toMatchObject({ outcome: 'ok', refresh: { state: 'waits', retryAt } });
    login.clock.advance(2 * HOUR);
    expect(await login.explained()).toMatchObject({ outcome: 'ok', refresh: { state: 'well' } });
    await login.refresh();
    expect(await login.get()).toBe('unavailable');
    expect(await login.explained()).toMatchObject({ outcome: 'unavailable', verdict: 'expired' });
  });

  test('that it has ended, with the command', async () => {
    const login = await aLogin(refusal('invalid_grant'));
    await login.refresh();
    expect(await login.explained()).toMatchObject({ outcome: 'ok', refresh: { state: 'ended', command } });
    login.clock.advance(HOUR);
    const person = { outcome: 'interaction-required', human: `to run: ${command}` };
    expect(await login.explained()).toMatchObject({
      ...person,
      verdict: 'expired',
      refresh: { state: 'ended', command },
    });
    expect(await login.get()).toBe('interaction-required');
  });

  test('that a refresh was cut off, with the command', async () => {
    const login = await aLogin(aPair('two'), { begunAt: 1 });
    expect(await login.explained()).toMatchObject({ outcome: 'ok', refresh: { state: 'unknown', command } });
    login.clock.advance(HOUR);
    expect(await login.explained()).toMatchObject({ outcome: 'interaction-required', human: `to run: ${command}` });
    expect(await login.get()).toBe('interaction-required');
    expect(login.asked).toEqual([]);
  });
});
