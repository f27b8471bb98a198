import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Backend } from '../../../daemon/backends/backend.ts';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { Accounts } from '../../../daemon/credentials/accounts.ts';
import { Agent } from '../../../daemon/credentials/agent.ts';
import { openCredentialStore } from '../../../daemon/credentials/held/credential-store.ts';
import { Waiters } from '../../../daemon/credentials/waiters.ts';
import { Emitter } from '../../../daemon/events/emitter.ts';
import { RestoreBin } from '../../../daemon/history/erased/restore-bin.ts';
import { Marks } from '../../../daemon/history/tombstones/marks.ts';
import { Tombstones } from '../../../daemon/history/tombstones/tombstones.ts';
import type { OAuthReply } from '../../../daemon/oauth/oauth-plan.ts';
import { verdictOf } from '../../../daemon/oauth/refresh-outcome.ts';
import { Refresher } from '../../../daemon/oauth/refresher.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { siftSecrets } from '../../../daemon/upstream/incoming.ts';
import type { SecretName } from '../../../daemon/upstream/plan.ts';
import type { Grant } from '../../../protocol/grant.ts';
import { noProfiles } from '../../../protocol/profiles.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../../protocol/secret.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, hasSettled } from '../../fakes/core.ts';

const grant: Grant = {
  issuer: 'https://id.example',
  clientId: 'keyhold',
  tokenUrl: 'https://id.example/token',
  by: 'refresh-token',
  subject: 'ada',
  lifetime: 3_600,
  round: 0,
};
const target = { protocol: 'https', host: 'git.example', username: 'oauth2' };
const text = (secret: Secret | undefined) => secret && Buffer.from(expose(secret)).toString();

type Answer = { readonly reply: OAuthReply; readonly value?: string; readonly refreshToken?: string };
const given = (value: string | undefined, refreshToken?: string, more = {}): Answer => ({
  reply: { oauth: { expiresIn: 3_600, ...more } },
  ...(value !== undefined && { value }),
  ...(refreshToken && { refreshToken }),
});

const open: { dispose(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.dispose();
});

/** A refresher whose provider answers what the test says, over a store that holds one login. */
async function aRefresher(change: Partial<Grant> = {}, backend?: Backend) {
  const clock = new FakeClock();
  const credentials = openCredentialStore({
    keep: heapSecret,
    clock,
    emit() {},
    lockMark: { isSet: () => false, set() {}, clear() {} },
    onRest() {},
  });
  await credentials.lifecycle.open(async () => backend ?? openMemory({ keep: heapSecret }));
  const about = { oauth: { ...grant, ...change } };
  const held = { ...target, id: 'a1', storedAt: clock.now(), expiresAt: clock.now() + 3_600, about };
  const secrets = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText('r-one-EXAMPLE') };
  await credentials.changes.put(held, secrets);
  const calls: { readonly spent: string | undefined; answer(answer: Answer): void }[] = [];
  const upstream = {
    run: vi.fn(
      (_: string, __: object, { refreshToken }: Partial<Record<SecretName, Secret>>) =>
        new Promise<never>((resolve) => {
          calls.push({
            spent: text(refreshToken),
            answer({ reply, value, refreshToken: next }) {
              const found = new Map<SecretName, Secret>();
              if (value) found.set('value', secretFromText(value));
              if (next) found.set('refreshToken', secretFromText(next));
              resolve({ reply, ...siftSecrets(found) } as never);
            },
          });
        }),
    ),
  };
  const refresher = new Refresher({
    credentials,
    marks: { note: async () => ({ about: {}, mark: undefined }) },
    upstream: upstream as never,
    route: () => ({ deadline: 1_000 }),
    clock,
    random: () => 0,
    emit() {},
    usedWithin: 86_400,
  });
  open.push(refresher);
  const marks = new Marks({ credentials, keep: heapSecret, clock, services: () => [] });
  const tombstones = new Tombstones(credentials, marks, clock);
  const emitter = new Emitter();
  const { emit } = emitter;
  const waiters = new Waiters(clock, emitter);
  const bin = new RestoreBin({ credentials, tombstones, clock, emit, keep: 86_400 });
  const accounts = new Accounts({ credentials, clock, emit });
  const agent = new Agent({
    accounts,
    credentials,
    clock,
    emit,
    profiles: () => noProfiles,
    tombstones,
    waiters,
    bin,
    refresher,
  });
  const entry = credentials.entries.at(target)!;
  const call = async (at: number) => {
    await expect.poll(() => calls.length).toBeGreaterThan(at);
    return calls[at]!;
  };
  return { clock, credentials, refresher, agent, entry, calls, call };
}

describe('a refresh', () => {
  test('is one however many ask; what is new is kept before they are told', async () => {
    const { credentials, refresher, entry, calls, call } = await aRefresher();
    const asked = Array.from({ length: 50 }, () => refresher.refresh(entry));
    (await call(0)).answer(given('two-EXAMPLE', 'r-two-EXAMPLE'));
    expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set(['refreshed']));
    expect(calls).toHaveLength(1);
    expect(calls[0]!.spent).toBe('r-one-EXAMPLE');
    const kept = await credentials.lifecycle.backend!.get(credentials.entries.at(target)!.resting!);
    expect([text(kept?.secret), text(kept?.refreshToken)]).toEqual(['two-EXAMPLE', 'r-two-EXAMPLE']);
    expect(credentials.entries.at(target)?.about?.oauth).toMatchObject({ round: 1, rotates: true });
    expect(credentials.entries.at(target)?.about?.oauth).not.toHaveProperty('begunAt');
  });

  test('is noted at rest before it begins, and found cut off by who comes after', async () => {
    const { credentials, refresher, entry, call } = await aRefresher();
    void refresher.refresh(entry);
    await call(0);
    const [resting] = await credentials.lifecycle.backend!.list();
    expect(resting?.about?.oauth?.begunAt).toBeDefined();
    expect(refresher.isUnknown(entry)).toBe(false);
    // The next agent finds the note, and no refresh under way.
    const next = await aRefresher({ begunAt: 1_890_000_000 });
    expect(next.refresher.isUnknown(next.entry)).toBe(true);
    expect(next.refresher.degradations()).toMatchObject([{ code: 'refresh-unknown' }]);
    const outcome = await next.refresher.refresh(next.entry);
    expect(outcome).toMatchObject({ status: 'failed', reply: { status: 'interaction-required' } });
    expect(next.calls).toHaveLength(0);
    const forced = next.refresher.refresh(next.entry, true);
    (await next.call(0)).answer(given('two-EXAMPLE', 'r-two-EXAMPLE'));
    expect(await forced).toEqual({ status: 'refreshed' });
    expect(next.refresher.isUnknown(next.entry)).toBe(false);
  });

  test('begins behind the answer when it is due, and not before; what lives is served meanwhile', async () => {
    const { clock, refresher, entry, calls, call } = await aRefresher();
    expect(refresher.look(entry)).toBe('fresh');
    clock.advance(2_699);
    expect(refresher.look(entry)).toBe('fresh');
    expect(calls).toHaveLength(0);
    clock.advance(1);
    expect(refresher.look(entry)).toBe('due');
    await call(0);
    expect(refresher.look(entry)).toBe('due');
    clock.advance(895);
    expect(refresher.look(entry)).toBe('closing');
    clock.advance(5);
    expect(refresher.look(entry)).toBe('dead');
    expect(calls).toHaveLength(1);
  });

  test('brings nothing over what came in its place meanwhile', async () => {
    const { credentials, clock, refresher, entry, call } = await aRefresher();
    const asked = refresher.refresh(entry);
    const one = await call(0);
    const newer = { ...target, id: 'b2', storedAt: clock.now(), about: { oauth: grant } };
    await credentials.changes.put(newer, { secret: secretFromText('new-EXAMPLE') });
    one.answer(given('two-EXAMPLE', 'r-two-EXAMPLE'));
    await asked;
    expect(text(credentials.entries.at(target)?.inMemory?.secret)).toBe('new-EXAMPLE');
  });

  test('begins behind an erase that is under way, and is kept', async () => {
    const backend = new FakeBackend();
    const { credentials, refresher, entry, agent, calls, call } = await aRefresher({}, backend);
    const release = backend.hold('put');
    const refused = { ...target, password: 'one-EXAMPLE' };
    const erased = agent.erase(aRequest('erase', refused), agentItself);
    expect(await hasSettled(erased)).toBe(false);
    const asked = refresher.refresh(entry);
    expect(await hasSettled(asked)).toBe(false);
    expect(calls).toHaveLength(0);
    release();
    (await call(0)).answer(given('two-EXAMPLE', 'r-two-EXAMPLE'));
    expect([(await erased).status, (await asked).status]).toEqual(['ok', 'refreshed']);
    const kept = await backend.get(credentials.entries.at(target)!.resting!);
    expect([text(kept?.secret), text(kept?.refreshToken)]).toEqual(['two-EXAMPLE', 'r-two-EXAMPLE']);
    expect(credentials.entries.at(target)?.about?.oauth).toMatchObject({ round: 1 });
  });

  test('that a lock overtakes is kept all the same', async () => {
    const { credentials, refresher, entry, call } = await aRefresher();
    const asked = refresher.refresh(entry);
    const one = await call(0);
    const put = vi.spyOn(credentials.lifecycle.backend!, 'put');
    const locked = credentials.lifecycle.lock();
    one.answer(given('two-EXAMPLE', 'r-two-EXAMPLE'));
    expect(await asked).toEqual({ status: 'refreshed' });
    await locked;
    expect(credentials.lifecycle.state).toBe('locked');
    expect(put).toHaveBeenCalledOnce();
    expect(put.mock.calls[0]![0].about?.oauth).toMatchObject({ round: 1 });
  });

  test('after a failure waits, and is not tried again before; then all is well', async () => {
    const { clock, refresher, entry, calls, call } = await aRefresher();
    const first = refresher.refresh(entry);
    (await call(0)).answer({ reply: { error: 'unknown', status: 503, retryAfter: 30 } });
    expect(await first).toMatchObject({ status: 'failed', reply: { status: 'unavailable' } });
    clock.advance(29);
    expect(await refresher.refresh(entry)).toMatchObject({ status: 'failed', reply: { status: 'unavailable' } });
    expect(calls).toHaveLength(1);
    clock.advance(1);
    const second = refresher.refresh(entry);
    (await call(1)).answer(given('two-EXAMPLE'));
    expect(await second).toEqual({ status: 'refreshed' });
    expect(calls[1]!.spent).toBe('r-one-EXAMPLE');
  });

  test('without a new refresh token keeps the old one', async () => {
    const { credentials, refresher, entry, call } = await aRefresher();
    const asked = refresher.refresh(entry);
    (await call(0)).answer(given('two-EXAMPLE'));
    await asked;
    const kept = await credentials.values.secretsOf(credentials.entries.at(target)!);
    expect([text(kept?.secret), text(kept?.refreshToken)]).toEqual(['two-EXAMPLE', 'r-one-EXAMPLE']);
  });

  test.each([0, -1, 'x', 1e12])('with a lifetime of %j is kept, and no end of it is known', async (expiresIn) => {
    const { credentials, refresher, entry, call } = await aRefresher();
    const asked = refresher.refresh(entry);
    (await call(0)).answer(given('two-EXAMPLE', 'r-two-EXAMPLE', { expiresIn }));
    expect(await asked).toEqual({ status: 'refreshed' });
    expect(credentials.entries.at(target)?.expiresAt).toBeUndefined();
    expect(refresher.look(credentials.entries.at(target)!)).toBe('fresh');
  });
});

describe('an answer', () => {
  test.each<[string, OAuthReply, Partial<Grant>, object]>([
    ['invalid_grant', { error: 'invalid_grant', status: 400 }, {}, { kind: 'ended', why: 'refused' }],
    ['invalid_grant with 500', { error: 'invalid_grant', status: 500 }, {}, { kind: 'later', why: 'down' }],
    ['of another subject', { oauth: { subject: 'eve' } }, {}, { kind: 'ended', why: 'other-subject' }],
    ['429', { error: 'unknown', status: 429, retryAfter: 9 }, {}, { kind: 'later', why: 'busy', retryAfter: 9 }],
    ['500', { error: 'unknown', status: 500 }, {}, { kind: 'later', why: 'down' }],
    ['invalid_client', { error: 'invalid_client', status: 401 }, {}, { kind: 'later', why: 'refused-client' }],
    ['403', { error: 'unknown', status: 403 }, {}, { kind: 'later', why: 'refused-client' }],
    ['nobody there', { failure: 'unreachable' }, {}, { kind: 'later', why: 'down' }],
    ['a page', { failure: 'no-json' }, {}, { kind: 'later', why: 'unfit' }],
    ['a redirect', { failure: 'redirected' }, {}, { kind: 'later', why: 'unfit' }],
    ['http elsewhere', { failure: 'unfit' }, {}, { kind: 'later', why: 'unfit' }],
    ['none in time', { failure: 'late' }, {}, { kind: 'unknown' }],
    ['half of one', { failure: 'cut' }, {}, { kind: 'unknown' }],
    ['ten megabytes', { failure: 'too-long' }, {}, { kind: 'unknown' }],
    ['a child that fell', { failure: 'fell' }, {}, { kind: 'unknown' }],
    ['half of one, rotating nothing', { failure: 'cut' }, { rotates: false }, { kind: 'later', why: 'down' }],
  ])('%s', (_, reply, change, verdict) => {
    expect(verdictOf(reply, { ...grant, ...change })).toMatchObject(verdict);
  });
});

describe('a provider that answers what cannot be kept', () => {
  const broken: [what: string, value: string, said: string][] = [
    ['a line feed', 'two\n-EXAMPLE', 'a control character (0x0a)'],
    ['ESC', 'two\u001b[2J-EXAMPLE', 'a control character (0x1b)'],
    ['NUL', 'two\0-EXAMPLE', 'a control character (0x00)'],
    ['70 kB', `${'x'.repeat(70_000)}-EXAMPLE`, 'at most 65000 can be kept'],
  ];

  test.each(broken)(
    'as an access token with %s: the one until now stays, and its refresh token is taken over',
    async (...row) => {
      const [, value, said] = row;
      const { credentials, refresher, entry, call } = await aRefresher();
      const refreshed = refresher.refresh(entry);
      (await call(0)).answer(given(value, 'r-two-EXAMPLE'));
      const outcome = await refreshed;
      expect(outcome).toMatchObject({ status: 'failed', reply: { status: 'unavailable' } });
      expect(JSON.stringify(outcome)).toContain(said);
      const kept = await credentials.lifecycle.backend!.get(credentials.entries.at(target)!.resting!);
      expect([text(kept?.secret), text(kept?.refreshToken)]).toEqual(['one-EXAMPLE', 'r-two-EXAMPLE']);
      expect(refresher.isUnknown(credentials.entries.at(target)!)).toBe(false);
      const again = refresher.refresh(credentials.entries.at(target)!, true);
      const second = await call(1);
      expect(second.spent).toBe('r-two-EXAMPLE');
      second.answer(given('three-EXAMPLE', 'r-three-EXAMPLE'));
      expect(await again).toEqual({ status: 'refreshed' });
    },
  );

  test('and no new refresh token: both stay, and the provider is left alone for a while', async () => {
    const { credentials, refresher, entry, calls, call } = await aRefresher();
    const refreshed = refresher.refresh(entry);
    (await call(0)).answer(given('two\n-EXAMPLE'));
    expect(await refreshed).toMatchObject({ status: 'failed' });
    const kept = await credentials.lifecycle.backend!.get(credentials.entries.at(target)!.resting!);
    expect([text(kept?.secret), text(kept?.refreshToken)]).toEqual(['one-EXAMPLE', 'r-one-EXAMPLE']);
    expect(await refresher.refresh(entry)).toMatchObject({ status: 'failed' });
    expect(calls).toHaveLength(1);
  });

  test('as a refresh token: nothing is replaced, and the spent one is not sent again by itself', async () => {
    const { credentials, refresher, entry, calls, call } = await aRefresher();
    const refreshed = refresher.refresh(entry);
    (await call(0)).answer(given('two-EXAMPLE', 'r-two\n-EXAMPLE'));
    expect(await refreshed).toMatchObject({
      status: 'failed',
      reply: { message: expect.stringContaining('auth login') },
    });
    const kept = await credentials.lifecycle.backend!.get(credentials.entries.at(target)!.resting!);
    expect(text(kept?.secret)).toBe('one-EXAMPLE');
    expect(refresher.isUnknown(credentials.entries.at(target)!)).toBe(true);
    await refresher.refresh(credentials.entries.at(target)!);
    expect(calls).toHaveLength(1);
  });
});
