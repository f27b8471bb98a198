import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Parts } from '../../../daemon/actions/parts.ts';
import { backUp } from '../../../daemon/backends/backup-pages.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { answers } from '../../fakes/answers.ts';
import { FakeBackend } from '../../fakes/backend.ts';
import { aRequest, Core, hasSettled, ours, plain, shown } from '../../fakes/core.ts';

const HOUR = 3_600;

describe('get', () => {
  it('answers what was stored, and nothing for another protocol, host, path or user', async () => {
    const core = new Core();
    await core.store({ path: 'a.git' });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(await core.get({ path: 'a.git', username: 'ada' })).toBe('ada pass-EXAMPLE');
    for (const other of [{ protocol: 'http' }, { host: 'example.org' }, { path: 'b.git' }, { username: 'bob' }]) {
      expect(await core.get(other)).toBe('not-found');
    }
  });

  it('tells an absent path from an empty one', async () => {
    const core = new Core();
    await core.store({ path: '', password: 'empty-EXAMPLE' });
    expect(await core.get({ path: '' })).toBe('ada empty-EXAMPLE');
    await core.store({ password: 'absent-EXAMPLE' });
    expect(await core.get({ path: '' })).toBe('ada empty-EXAMPLE');
    expect(await core.get()).toBe('ada absent-EXAMPLE');
  });

  it('prefers the one stored last, also after a restart within the same second', async () => {
    const core = new Core();
    for (const username of ['eve', 'bob', 'ada']) await core.store({ username });
    await core.store({ username: 'bob', password: 'newer-EXAMPLE' });
    expect(await core.get()).toBe('bob newer-EXAMPLE');
    const again = new Core({ backend: core.backend });
    expect(await again.get()).toBe('bob newer-EXAMPLE');
  });

  it('reads once for many askers at once', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    const release = backend.hold('get');
    const asked = Array.from({ length: 200 }, () => core.get());
    expect(await hasSettled(asked[0]!)).toBe(false);
    release();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['ada pass-EXAMPLE']));
    expect(backend.calls.get).toBe(1);
  });

  it('asks the backend for nothing when it misses', async () => {
    const core = await stored();
    for (let number = 0; number < 50; number++) expect(await core.get({ host: `h${number}.test` })).toBe('not-found');
    expect(core.backend.calls).toMatchObject({ list: 1, get: 0 });
  });

  it('serves what is in memory while the backend hangs, and says what is wrong with the rest', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    await core.store({ host: 'cached.test' });
    backend.faults.set('get', 'backend_hung');
    expect(await core.get({ host: 'cached.test' })).toBe('ada pass-EXAMPLE');
    expect(await fault(core.agent.get(aRequest('get'), agentItself))).toBe('backend_hung');
    backend.faults.clear();
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('forgets what was taken out of the backend by others', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    await core.credentials.lifecycle.settled();
    await backend.remove((await backend.credentials())[0]!);
    expect(await core.get()).toBe('not-found');
    expect(core.credentials.entries.counts.held).toBe(0);
  });

  it('gives an authtype only to who can use it, and the next best to who cannot', async () => {
    const core = new Core();
    await core.store({ username: 'old', password: 'password-EXAMPLE' });
    await core.store({ username: 'new', password: 'bearer-EXAMPLE', authtype: 'Bearer' });
    expect(await core.get({ capabilities: { ...ours, keyhold: false } })).toBe('new bearer-EXAMPLE');
    expect(await core.get({ capabilities: plain })).toBe('old password-EXAMPLE');
  });

  it('does not answer with what is erased while it waits for the backend', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    const release = backend.hold('get');
    const asked = core.get();
    await hasSettled(asked);
    const erased = core.erase();
    await hasSettled(erased);
    release();
    expect(await erased).toBe('ok');
    expect(await asked).toBe('not-found');
  });
});

describe('a backup', () => {
  it('leaves a damaged record out and names it, and keeps nothing of the others in memory', async () => {
    const before = await stored();
    await before.store({ username: 'bob', password: 'bob-EXAMPLE' });
    const core = new Core({ backend: before.backend });
    await core.credentials.lifecycle.settled();
    core.backend.damaged.add('bob');
    const management = {
      credentials: core.credentials,
      keep: heapSecret,
      backupCost: { memory: 8, passes: 1, parallelism: 1 },
    };
    const reply = await backUp(management as unknown as Parts, secretFromText('passphrase-EXAMPLE'), agentItself);
    const details = reply.status === 'ok' ? (reply.details ?? []) : [];
    const named = details.filter(([key]) => key === 'damaged[]').map(([, line]) => JSON.parse(line).username);
    expect(named).toEqual(['bob']);
    const credentials = details.filter(([key]) => key === 'record[]').length - core.credentials.own.all().length;
    expect(credentials).toBe(1);
    expect(core.credentials.entries.counts).toEqual({ held: 2, unlocked: 0 });
  });
});

describe('while the backend is being opened', () => {
  /** An agent whose backend has the records of two accounts and does not come to the end of its list until it is told to. */
  async function opening() {
    const before = await stored();
    await before.store({ username: 'bob', password: 'bob-EXAMPLE' });
    await before.store({ host: 'other.test', password: 'other-EXAMPLE' });
    const { backend } = before;
    backend.isReadByHost = true;
    const release = backend.hold('list');
    return { core: new Core({ backend }), release };
  }

  it('a get is answered by what its host has, the one stored last first', async () => {
    const { core, release } = await opening();
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    expect(await core.get({ username: 'ada' })).toBe('ada pass-EXAMPLE');
    expect(core.credentials.lifecycle.state).toBe('opening');
    release();
    await core.credentials.lifecycle.settled();
    expect(core.credentials.entries.counts.held).toBe(3);
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    expect(await core.get({ host: 'other.test' })).toBe('ada other-EXAMPLE');
  });

  it('a get that finds nothing, a store, an erase and a list wait for all of it', async () => {
    const { core, release } = await opening();
    const missed = core.get({ host: 'nothing.test' });
    const kept = core.store({ host: 'new.test' });
    const erased = core.erase({ host: 'other.test' });
    const all = [missed, kept, erased];
    for (const one of all) expect(await hasSettled(one)).toBe(false);
    release();
    expect(await Promise.all(all)).toEqual(['not-found', 'ok', 'ok']);
  });

  it('a get that must wait for too long is told so, and never that nothing is held', async () => {
    const { core, release } = await opening();
    core.backend.isReadByHost = false;
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const asked = core.agent.get(aRequest('get', { host: 'other.test' }), agentItself);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await asked).toMatchObject({ status: 'unavailable', message: expect.stringContaining('is opening') });
    vi.useRealTimers();
    release();
    expect(await core.get({ host: 'other.test' })).toBe('ada other-EXAMPLE');
  });

  it('a lock ends the serving at once', async () => {
    const { core, release } = await opening();
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    const locked = core.credentials.lifecycle.lock();
    const asked = core.get();
    release();
    await locked;
    expect(await asked).toBe('locked');
    expect(core.credentials.lifecycle.state).toBe('locked');
  });
});

describe('expiry', () => {
  it('is told to our own clients and withheld from git', async () => {
    const core = new Core();
    await core.store({ expiresAt: core.clock.now() + 60 });
    expect(await core.get({ minTtl: 59 })).toBe('ada pass-EXAMPLE');
    expect(await core.get({ minTtl: 60 })).toBe('expired');
    core.clock.advance(60);
    expect(await core.get()).toBe('expired');
    expect(await core.get({ capabilities: plain })).toBe('expired');
  });

  it('leaves git the refresh token and nothing else', async () => {
    const core = new Core();
    await core.store({ expiresAt: core.clock.now() + 60, refresh: 'refresh-EXAMPLE' });
    core.clock.advance(61);
    expect(await core.get({ capabilities: plain })).toBe('ada refresh refresh-EXAMPLE');
    expect(await core.get()).toBe('expired');
  });

  it('follows the wall clock, a year ahead and back', async () => {
    const core = new Core();
    await core.store({ expiresAt: core.clock.now() + 60 });
    core.clock.set('2031-01-01T00:00:00Z');
    expect(await core.get()).toBe('expired');
    core.clock.set('2029-01-01T00:00:00Z');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });
});

describe('store', () => {
  it('answers only when the backend has made it durable', async () => {
    const core = new Core();
    const release = core.backend.hold('put');
    const stored = core.store();
    expect(await hasSettled(stored)).toBe(false);
    expect(await core.get()).toBe('not-found');
    release();
    expect(await stored).toBe('ok');
    expect(new Set(core.rested)).toEqual(new Set(['vault']));
  });

  it('keeps what was there when the backend fails', async () => {
    const core = await stored();
    core.backend.faults.set('put', 'backend_full');
    expect(await fault(core.store({ password: 'other-EXAMPLE' }))).toBe('backend_full');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('writes nothing when it is repeated, and loses nothing that the repetition leaves out', async () => {
    const core = new Core();
    const expiresAt = core.clock.now() + 600;
    await core.store({ expiresAt, refresh: 'refresh-EXAMPLE' });
    for (let time = 0; time < 20; time++) expect(await core.store()).toBe('ok');
    expect(core.backend.calls.put).toBe(1);
    expect(await core.get()).toBe('ada pass-EXAMPLE refresh refresh-EXAMPLE');
    expect(core.credentials.entries.all()[Symbol.iterator]().next().value?.expiresAt).toBe(expiresAt);
  });

  it('writes what was in memory only when it is stored for good', async () => {
    const core = new Core();
    await core.store({ timeout: 60, refresh: 'refresh-EXAMPLE' });
    expect(core.backend.calls.put).toBe(0);
    await core.store();
    expect(core.backend.calls.put).toBe(1);
    core.clock.advance(61);
    expect(await core.get()).toBe('ada pass-EXAMPLE refresh refresh-EXAMPLE');
  });

  it('ignores what has no secret, must not be kept, or is dead already', async () => {
    const core = await stored();
    const { password: _, ...bare } = { password: undefined, username: 'ada' };
    expect(shown(await core.agent.store(aRequest('store', bare), agentItself))).toBe('ok');
    expect(
      shown(await core.agent.store(aRequest('store', { username: 'ada', refresh: 'x-EXAMPLE' }), agentItself)),
    ).toBe('ok');
    expect(await core.store({ password: 'one-EXAMPLE', ephemeral: true })).toBe('ok');
    expect(await core.store({ password: 'two-EXAMPLE', expiresAt: core.clock.now() })).toBe('ok');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.backend.calls.put).toBe(1);
  });

  it('keeps an empty secret', async () => {
    const core = new Core();
    await core.store({ username: '', password: '' });
    expect(await core.get()).toBe(' ');
  });

  it('with a timeout stays in memory, so long and no longer', async () => {
    const core = new Core();
    await core.store({ timeout: 2 });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    core.clock.advance(2);
    expect(await core.get()).toBe('not-found');
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
    expect(core.backend.calls.put).toBe(0);
  });

  it('with a timeout outlives the lease, and takes the place of what rests', async () => {
    const core = await stored();
    await core.store({ password: 'brief-EXAMPLE', timeout: 10 * HOUR });
    expect(core.backend.calls.remove).toBe(1);
    core.clock.advance(9 * HOUR);
    expect(await core.get()).toBe('ada brief-EXAMPLE');
  });
});

describe('erase', () => {
  it('erases what matches, in memory and at rest, and it does not come back', async () => {
    const core = await stored();
    expect(await core.erase()).toBe('ok');
    expect(await core.get()).toBe('not-found');
    expect(await new Core({ backend: core.backend }).get()).toBe('not-found');
    expect(await core.erase()).toBe('not-found');
  });

  it('with a secret erases that one only, read back after its lease', async () => {
    const core = await stored();
    core.clock.advance(25 * HOUR);
    expect(await core.erase({ password: 'other-EXAMPLE' })).toBe('not-found');
    expect(core.backend.calls.get).toBe(1);
    core.clock.advance(25 * HOUR);
    expect(await core.erase({ password: 'pass-EXAMPLE' })).toBe('ok');
    expect(await core.backend.credentials()).toEqual([]);
  });

  it('erases every user of a host, and says how many', async () => {
    const core = new Core();
    for (const username of ['ada', 'bob', 'eve']) await core.store({ username });
    const reply = await core.agent.erase(aRequest('erase'), agentItself);
    expect(reply.details).toEqual([['erased', '3']]);
  });

  it('keeps it served when the backend does not let it go', async () => {
    const core = await stored();
    core.backend.faults.set('remove', 'backend_failed');
    expect(await fault(core.erase())).toBe('backend_failed');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('with our own state erases exactly what was served; a forged state says nothing', async () => {
    const core = new Core();
    await core.store({ username: 'bob' });
    await core.store({ username: 'ada' });
    const reply = await core.agent.get(aRequest('get', { username: 'bob' }), agentItself);
    const state = (reply.status === 'ok' && reply.state) || [];
    expect(state[0]).toMatch(/^keyhold:[0-9a-f]{20}\..{22}$/);
    expect(await core.erase({ state: ['other:1', ...state] })).toBe('ok');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    const forged = state[0]!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const nothing of [
      forged,
      'keyhold:',
      'keyhold:x',
      'keyhold:.',
      `keyhold:${'0'.repeat(20)}.${'A'.repeat(22)}`,
    ]) {
      await core.store({ username: 'bob' });
      const { details } = await core.agent.erase(aRequest('erase', { state: [nothing], username: 'bob' }), agentItself);
      expect(details).toEqual([['erased', '1']]);
    }
  });
});

describe('leases', () => {
  it('end after 8 idle hours and are renewed by reading again', async () => {
    const core = await stored();
    for (let hour = 0; hour < 2; hour++) {
      core.clock.advance(7 * HOUR);
      expect(await core.get()).toBe('ada pass-EXAMPLE');
    }
    expect(core.backend.calls.get).toBe(0);
    core.clock.advance(8 * HOUR);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.backend.calls.get).toBe(1);
  });

  it('end after 24 hours, used or not', async () => {
    const core = await stored();
    for (let hour = 0; hour < 24; hour++) {
      expect(await core.get()).toBe('ada pass-EXAMPLE');
      core.clock.advance(HOUR);
    }
    expect(core.backend.calls.get).toBe(0);
    await core.get();
    expect(core.backend.calls.get).toBe(1);
  });

  it('do not care about the wall clock', async () => {
    const core = await stored();
    core.clock.set('2031-06-01T00:00:00Z');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    core.clock.set('2028-06-01T00:00:00Z');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.backend.calls.get).toBe(0);
  });

  it('are wiped by a sweep, without anybody asking', async () => {
    const core = new Core({ lease: { idle: 0.02, max: 1 } });
    await core.store();
    core.clock.advance(1);
    await expect.poll(() => core.credentials.entries.counts).toEqual({ held: 1, unlocked: 0 });
  });
});

describe('a passphrase', () => {
  async function behindPassphrase(): Promise<Core> {
    const backend = new FakeBackend();
    backend.needsPassphrase = true;
    const core = new Core({ backend });
    await core.store();
    return core;
  }

  it('locks after an idle hour, and only a passphrase opens it', async () => {
    const core = await behindPassphrase();
    core.clock.advance(HOUR - 1);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    core.clock.advance(HOUR);
    expect(await core.get()).toBe('locked');
    expect(core.backend.locked).toBe(true);
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
    expect(await core.store()).toBe('locked');
    expect(await fault(core.credentials.lifecycle.unlock({ mayPrompt: false }))).toBe('interaction_required');
    const { secret } = aRequest('unlock', { password: 'phrase-EXAMPLE' });
    await core.credentials.lifecycle.unlock({ passphrase: secret, mayPrompt: false });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('locks after 24 hours of use', async () => {
    const core = await behindPassphrase();
    for (let half = 0; half < 48; half++) {
      expect(await core.get()).toBe('ada pass-EXAMPLE');
      core.clock.advance(HOUR / 2);
    }
    expect(await core.get()).toBe('locked');
  });

  it('is locked after a suspend of 12 hours, whatever is asked first', async () => {
    for (const first of ['get', 'store', 'erase'] as const) {
      const core = await behindPassphrase();
      core.clock.advance(12 * HOUR);
      expect(await core[first]()).toBe('locked');
    }
  });

  it('leaves nothing in memory of a store that was being written when it locked', async () => {
    const core = await behindPassphrase();
    const release = core.backend.hold('put');
    const stored = core.store({ username: 'bob' });
    await hasSettled(stored);
    core.clock.advance(2 * HOUR);
    expect(await core.get()).toBe('locked');
    release();
    expect(await stored).toBe('ok');
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
  });

  it('set while the agent runs begins its lease then', async () => {
    const core = await stored();
    core.clock.advance(5 * HOUR);
    core.backend.needsPassphrase = true;
    core.credentials.leases.beginKey();
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    core.clock.advance(HOUR);
    expect(await core.get()).toBe('locked');
  });
});

describe('a get that may wait', () => {
  it('is answered once somebody unlocks, and not before', async () => {
    const core = await stored();
    await core.credentials.lifecycle.lock();
    const asked = core.get({ wait: 60 });
    expect(await hasSettled(asked)).toBe(false);
    await core.credentials.lifecycle.unlock({ mayPrompt: true });
    expect(await asked).toBe('ada pass-EXAMPLE');
  });

  it('is refused when its time is over, and at once where nobody is there', async () => {
    const core = await stored();
    await core.credentials.lifecycle.lock();
    expect(await core.get({ wait: 60, interactive: false })).toBe('locked');
    const asked = core.get({ wait: 10_000 });
    expect(await hasSettled(asked)).toBe(false);
    core.clock.advance(121);
    expect(await asked).toBe('locked');
  });
});

describe('lock', () => {
  it('forgets everything and serves nothing until unlock', async () => {
    const core = await stored();
    await core.credentials.lifecycle.lock();
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
    for (const ask of [core.get(), core.store(), core.erase()]) expect(await ask).toBe('locked');
    await core.credentials.lifecycle.unlock({ mayPrompt: true });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('outlives a restart', async () => {
    const core = await stored();
    await core.credentials.lifecycle.lock();
    const again = new Core({ backend: core.backend, marked: core.lockMark.marked });
    expect(await again.get()).toBe('locked');
    again.clock.advance(HOUR);
    expect(await again.get()).toBe('locked');
    await again.credentials.lifecycle.unlock({ mayPrompt: true });
    expect(again.lockMark.marked).toBe(false);
    expect(await again.get()).toBe('ada pass-EXAMPLE');
  });

  it('stays locked when the backend does not unlock', async () => {
    const core = await stored();
    await core.credentials.lifecycle.lock();
    core.backend.faults.set('unlock', 'backend_dismissed');
    expect(await fault(core.credentials.lifecycle.unlock({ mayPrompt: true }))).toBe('backend_dismissed');
    expect(core.lockMark.marked).toBe(true);
    expect(await core.get()).toBe('locked');
  });

  it('lets what has begun end, and nothing after it in', async () => {
    const core = await stored();
    const release = core.backend.hold('put');
    const begun = core.store({ username: 'bob' });
    await hasSettled(begun);
    const locked = core.credentials.lifecycle.lock();
    await hasSettled(locked);
    expect(await core.store({ username: 'eve' })).toBe('locked');
    expect(await core.get()).toBe('locked');
    release();
    expect(await begun).toBe('ok');
    await locked;
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
  });

  it('locks although its mark cannot be written', async () => {
    const core = await stored();
    core.lockMark.set = () => {
      throw new Error('no space');
    };
    await expect(core.credentials.lifecycle.lock()).rejects.toThrow('no space');
    expect(await core.get()).toBe('locked');
  });
});

describe('a backend that does not open', () => {
  it('is asked again two seconds later, once for all that ask', async () => {
    const backend = new FakeBackend();
    backend.locked = true;
    const core = new Core({ backend });
    expect(await core.get()).toBe('locked');
    backend.locked = false;
    expect(await core.get()).toBe('locked');
    core.clock.advance(2);
    const release = backend.hold('list');
    const asked = [core.get(), core.store(), core.get({ username: 'bob' }), core.erase({ host: 'other.test' })];
    await hasSettled(asked[0]!);
    release();
    expect(await Promise.all(asked)).toEqual(['not-found', 'ok', 'not-found', 'not-found']);
    expect(backend.calls.list).toBe(2);
  });

  it('says why, in its own words', async () => {
    const backend = new FakeBackend();
    backend.faults.set('list', 'backend_hung');
    const core = new Core({ backend });
    expect(await core.agent.get(aRequest('get'), agentItself)).toMatchObject({
      status: 'unavailable',
      message: expect.stringContaining('backend_hung'),
    });
    expect(core.credentials.lifecycle.state).toBe('failed');
  });

  it('is opened by unlock', async () => {
    const core = new Core();
    await core.store();
    let tries = 0;
    await core.credentials.lifecycle.open(async () => {
      if (++tries === 1) throw new Error('not yet');
      return core.backend;
    });
    expect(await core.get()).toBe('unavailable');
    await core.credentials.lifecycle.unlock({ mayPrompt: true });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });
});

describe('at once for one key', () => {
  it('200 stores leave the last one, whole', async () => {
    const core = new Core();
    const stores = Array.from({ length: 200 }, (_, number) =>
      core.store({ password: `value-${number}-EXAMPLE`, refresh: `refresh-${number}-EXAMPLE` }),
    );
    const gets = Array.from({ length: 200 }, () => core.get());
    await Promise.all(stores);
    for (const seen of await Promise.all(gets)) {
      const [, value, refresh] = /value-(\d+)-EXAMPLE refresh refresh-(\d+)-/.exec(seen) ?? [];
      expect(value).toBe(refresh);
    }
    const last = 'ada value-199-EXAMPLE refresh refresh-199-EXAMPLE';
    expect(await core.get()).toBe(last);
    expect(await new Core({ backend: core.backend }).get()).toBe(last);
  });

  it('stores, erases and gets in any order end where memory and backend agree', async () => {
    const core = new Core();
    const all = Array.from({ length: 200 }, (_, number) => {
      if (number % 5 === 4) return core.erase();
      if (number % 3 === 2) return core.get();
      return core.store({ password: `value-${number}-EXAMPLE` });
    });
    for (const answer of await Promise.all(all)) expect(answer).toMatch(/^(ok|not-found|ada value-\d+-EXAMPLE)$/);
    expect(await new Core({ backend: core.backend }).get()).toBe(await core.get());
  });
});

describe('migrate', () => {
  it('carries everything, uses the other from then on and empties the first', async () => {
    const core = await stored();
    await core.store({ username: 'bob', password: 'bob-EXAMPLE' });
    await core.store({ host: 'memory.test', timeout: 60 });
    const next = new FakeBackend();
    expect(await core.migrate(next, () => {})).toEqual({ carried: 2, notRemoved: [], notCarried: [] });
    expect(core.backend.disposed).toBe(true);
    core.backend.disposed = false;
    expect(await core.backend.credentials()).toEqual([]);
    expect(await core.get()).toBe('bob bob-EXAMPLE');
    // What is in memory goes on being served from there.
    expect(next.calls.get).toBe(2);
    expect(await core.get({ host: 'memory.test' })).toBe('ada pass-EXAMPLE');
  });

  it('leaves a damaged record behind, and carries all others', async () => {
    const before = await stored();
    await before.store({ username: 'bob', password: 'bob-EXAMPLE' });
    const core = new Core({ backend: before.backend });
    await core.credentials.lifecycle.settled();
    core.backend.damaged.add('bob');
    const next = new FakeBackend();
    expect(await core.migrate(next, () => {})).toMatchObject({
      carried: 1,
      notRemoved: [],
      notCarried: [{ username: 'bob' }],
    });
    expect((await next.credentials()).map(({ username }) => username)).toEqual(['ada']);
    core.backend.disposed = false;
    expect((await core.backend.credentials()).map(({ username }) => username)).toEqual(['bob']);
  });

  it('answers gets from what rests while it carries, and lets changes wait', async () => {
    const before = await stored();
    await before.store({ host: 'other.test', password: 'other-EXAMPLE' });
    const core = new Core({ backend: before.backend });
    await core.credentials.lifecycle.settled();
    const next = new FakeBackend();
    const release = next.hold('put');
    const migrated = core.migrate(next, () => {});
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(await core.get({ host: 'other.test' })).toBe('ada other-EXAMPLE');
    const kept = core.store({ host: 'new.test' });
    expect(await hasSettled(kept)).toBe(false);
    release();
    expect(await migrated).toEqual({ carried: 2, notRemoved: [], notCarried: [] });
    expect(await kept).toBe('ok');
    expect((await next.credentials()).map(({ host }) => host)).toContain('new.test');
  });

  it('is ended by a lock, which serves nothing from then on and leaves everything where it was', async () => {
    const core = await stored();
    const next = new FakeBackend();
    const release = next.hold('get');
    const migrated = core.migrate(next, () => {}).catch((error) => error);
    await hasSettled(migrated);
    const locked = core.credentials.lifecycle.lock();
    expect(core.credentials.lifecycle.isServing).toBe(false);
    release();
    await Promise.all([migrated, locked]);
    expect(core.credentials.lifecycle.state).toBe('locked');
  });

  it.each(['put', 'get'] as const)('leaves everything as it was when %s fails there', async (call) => {
    const core = await stored();
    const next = new FakeBackend();
    next.faults.set(call, 'backend_hung');
    let farewell = false;
    const migrated = core.migrate(next, () => {
      farewell = true;
    });
    expect(await fault(migrated)).toBe('backend_hung');
    expect({ farewell, rest: await next.credentials() }).toEqual({ farewell: false, rest: [] });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.credentials.lifecycle.backend).toBe(core.backend);
  });

  it('leaves everything as it was when the choice cannot be noted', async () => {
    const core = await stored();
    const next = new FakeBackend();
    await expect(
      core.migrate(next, () => {
        throw new Error('no space');
      }),
    ).rejects.toThrow('no space');
    expect(await next.credentials()).toEqual([]);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('is done although the first backend does not let go, and says so', async () => {
    const core = await stored();
    core.backend.faults.set('remove', 'backend_failed');
    expect(await core.migrate(new FakeBackend(), () => {})).toMatchObject({
      carried: 1,
      notRemoved: [{ username: 'ada' }],
      notCarried: [],
    });
    expect(core.log.at(-1)).toBe('farewell-failed {"backend":"vault","count":1}');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('carries a store that was being written, and lets later ones wait', async () => {
    const core = await stored();
    const next = new FakeBackend();
    const releaseOld = core.backend.hold('put');
    const begun = [core.store({ username: 'bob' }), core.store({ username: 'bob', password: 'second-EXAMPLE' })];
    const migrated = core.migrate(next, () => {});
    await hasSettled(migrated);
    const later = core.store({ username: 'eve' });
    releaseOld();
    expect(await Promise.all(begun)).toEqual(['ok', 'ok']);
    expect(await migrated).toEqual({ carried: 2, notRemoved: [], notCarried: [] });
    expect(await later).toBe('ok');
    expect((await next.credentials()).map(({ username }) => username).sort()).toEqual(['ada', 'bob', 'eve']);
    expect(await core.get({ username: 'bob' })).toBe('bob second-EXAMPLE');
  });

  it('is from where the one before it went, when two are asked for at once', async () => {
    const core = await stored();
    const [first, second] = [new FakeBackend(), new FakeBackend()];
    const both = [core.migrate(first, () => {}), core.migrate(second, () => {})];
    expect(await Promise.all(both)).toEqual([
      { carried: 1, notRemoved: [], notCarried: [] },
      { carried: 1, notRemoved: [], notCarried: [] },
    ]);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(await second.credentials()).toHaveLength(1);
    expect(await first.credentials()).toEqual([]);
    expect([core.backend.disposed, first.disposed, second.disposed]).toEqual([true, true, false]);
  });

  it('does not bring back what is erased meanwhile', async () => {
    const core = await stored();
    const next = new FakeBackend();
    const release = next.hold('put');
    const migrated = core.migrate(next, () => {});
    await hasSettled(migrated);
    const erased = core.erase();
    await hasSettled(erased);
    release();
    await migrated;
    expect(await erased).toBe('ok');
    expect(await core.get()).toBe('not-found');
    expect(await next.credentials()).toEqual([]);
  });
});

describe('a backup', () => {
  it('is refused rather than told without what was locked away while it was made', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    await core.credentials.lifecycle.settled();
    const release = backend.hold('get');
    const passphrase = new Attributes();
    passphrase.add('passphrase', secretFromText('phrase-EXAMPLE'));
    const backup = answers({ credentials: core.credentials, keep: heapSecret })({
      ...aRequest('backup'),
      attributes: passphrase,
    });
    expect(await hasSettled(backup)).toBe(false);
    await core.credentials.lifecycle.lock();
    release();
    await expect(backup).rejects.toMatchObject({ code: 'locked' });
  });
});

describe('secretsOf', () => {
  it('answers what stands there when it was replaced while it was read', async () => {
    const { backend } = await stored();
    const core = new Core({ backend });
    await core.credentials.lifecycle.settled();
    const [entry] = [...core.credentials.entries.all()];
    const release = backend.hold('get');
    const asked = core.credentials.values.secretsOf(entry!);
    await core.store({ password: 'newer-EXAMPLE' });
    release();
    const secrets = await asked;
    expect(secrets?.secret?.equals(aRequest('', { password: 'newer-EXAMPLE' }).secret!)).toBe(true);
  });
});

it('logs no host, no user and no value', async () => {
  const core = await stored();
  await core.get();
  await core.erase();
  await core.credentials.lifecycle.lock();
  expect(core.log.join('\n')).not.toMatch(/example|ada|pass/i);
});

async function stored(): Promise<Core> {
  const core = new Core();
  await core.store();
  return core;
}

function fault(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no fault',
    (error) => error.code,
  );
}
