import { describe, expect, it } from 'vitest';
import { isErased } from '../../../../daemon/backends/backend.ts';
import { openMemory } from '../../../../daemon/backends/memory.ts';
import { ERASED_MAX } from '../../../../daemon/history/erased/restore-bin.ts';
import { agentItself } from '../../../../daemon/socket/caller.ts';
import { Attributes } from '../../../../protocol/attributes.ts';
import { heapSecret } from '../../../../protocol/secret.ts';
import { FakeBackend } from '../../../fakes/backend.ts';
import { aRequest, Core, hasSettled, plain } from '../../../fakes/core.ts';

const DAY = 86_400;

const rests = async (core: Core) => (await core.backend.list()).filter(isErased);
const entryOf = (core: Core, username = 'ada') =>
  [...core.credentials.entries.all()].find((one) => one.username === username)!;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );
const purging = () => {
  const attributes = new Attributes();
  attributes.add('purge', '1');
  return attributes;
};
/** The agent anew on the same backend, as after a restart. */
async function restarted(core: Core): Promise<Core> {
  const again = new Core({ backend: core.backend });
  await again.credentials.lifecycle.settled();
  return again;
}

describe('what an erase takes away', () => {
  it('is not served, and comes back as it was', async () => {
    const core = new Core();
    await core.store({
      about: { label: 'laptop' },
      refresh: 'refresh-EXAMPLE',
      expiresAt: core.clock.now() + 60 * DAY,
    });
    const { id } = entryOf(core);
    expect(await core.erase()).toBe('ok');
    expect(await core.get()).toBe('not-found');
    expect(core.credentials.entries.counts).toEqual({ held: 0, unlocked: 0 });
    expect(core.bin.all()).toMatchObject([{ id, username: 'ada', about: { label: 'laptop' } }]);
    await core.bin.restore(id, false);
    expect(await core.get()).toBe('ada pass-EXAMPLE refresh refresh-EXAMPLE');
    expect(entryOf(core)).toMatchObject({ id, about: { label: 'laptop' } });
    expect(core.bin.all()).toEqual([]);
    expect(await (await restarted(core)).get()).toBe('ada pass-EXAMPLE refresh refresh-EXAMPLE');
  });

  it('by a tool without our capability goes there too, and a list of all in one go loses nothing', async () => {
    const core = new Core();
    for (const username of ['ada', 'bob', 'eve']) await core.store({ username, password: `${username}-EXAMPLE` });
    expect(await core.erase({ capabilities: plain })).toBe('ok');
    const again = await restarted(core);
    expect(
      again.bin
        .all()
        .map(({ username }) => username)
        .sort(),
    ).toEqual(['ada', 'bob', 'eve']);
    for (const { id } of again.bin.all()) await again.bin.restore(id, false);
    for (const username of ['ada', 'bob', 'eve'])
      expect(await again.get({ username })).toBe(`${username} ${username}-EXAMPLE`);
  });

  it('stays where it is when the backend fails, and is in one place when it does not', async () => {
    const core = new Core();
    await core.store();
    core.backend.faults.set('remove', 'backend_failed');
    expect(await codeOf(core.erase())).toBe('backend_failed');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.bin.all()).toEqual([]);
    core.backend.faults.clear();
    const release = core.backend.hold('remove');
    const erased = core.erase();
    expect(await hasSettled(erased)).toBe(false);
    release();
    expect(await erased).toBe('ok');
    expect(await core.backend.credentials()).toEqual([]);
    expect(await rests(core)).toHaveLength(1);
  });

  it('is one value for each target, the newest', async () => {
    const core = new Core();
    for (const password of ['first-EXAMPLE', 'second-EXAMPLE']) {
      await core.store({ password });
      core.clock.advance(5);
      await core.erase();
    }
    await core.store({ username: 'bob' });
    await core.erase();
    expect(core.bin.all().map(({ username }) => username)).toEqual(['bob', 'ada']);
    await core.bin.restore(core.bin.all()[1]!.id, false);
    expect(await core.get({ username: 'ada' })).toBe('ada second-EXAMPLE');
  });

  it('is gone for good where it rests nowhere, has expired, or is known to be revoked', async () => {
    const core = new Core();
    await core.store({ username: 'memory', timeout: 600 });
    await core.store({ username: 'old', expiresAt: core.clock.now() + 60 });
    await core.store({ username: 'dead', password: 'dead-EXAMPLE' });
    await core.store({ username: 'twin', password: 'dead-EXAMPLE' });
    await core.tombstones.bury(entryOf(core, 'dead'));
    core.clock.advance(60);
    for (const username of ['memory', 'old', 'twin']) expect(await core.erase({ username })).toBe('ok');
    expect(await rests(core)).toEqual([]);
  });

  it('is gone for good with erase.keep 0, and with a backend that is not durable', async () => {
    const core = new Core({ eraseKeep: 0 });
    await core.store();
    await core.erase();
    expect(await rests(core)).toEqual([]);
    const memory = await openMemory({ keep: heapSecret });
    const volatile = new Core();
    await volatile.credentials.lifecycle.settled();
    await volatile.credentials.lifecycle.open(async () => memory);
    await volatile.store();
    await volatile.erase();
    expect(await memory.list()).toEqual([expect.objectContaining({ host: 'mark-key' })]);
  });

  it('is purged by an erase for good, of what is held and of what was erased before', async () => {
    const core = new Core();
    for (const username of ['ada', 'bob']) await core.store({ username });
    await core.erase({ username: 'ada' });
    await core.store({ username: 'ada', password: 'again-EXAMPLE' });
    const { id } = entryOf(core);
    expect(await core.erase({ username: 'ada', id, attributes: purging() })).toBe('ok');
    expect(await rests(core)).toEqual([]);
    await core.store({ username: 'ada' });
    await core.erase({ username: 'ada' });
    expect(await core.erase({ username: 'ada', attributes: purging() })).toBe('ok');
    expect(await rests(core)).toEqual([]);
    expect(await core.erase({ username: 'ada', attributes: purging() })).toBe('not-found');
    expect(await core.get({ username: 'bob' })).toBe('bob pass-EXAMPLE');
    // A tool's `purge` means nothing: it does not offer our capability.
    expect(await core.erase({ username: 'bob', capabilities: plain, attributes: purging() })).toBe('ok');
    expect(core.bin.all()).toHaveLength(1);
  });

  it('is purged by a tombstone of its target or of its value', async () => {
    const core = new Core();
    for (const username of ['ada', 'bob']) await core.store({ username, password: 'one-EXAMPLE' });
    await core.store({ username: 'eve', password: 'other-EXAMPLE' });
    for (const username of ['ada', 'eve']) await core.erase({ username });
    await core.tombstones.bury(entryOf(core, 'bob'));
    expect(core.bin.all().map(({ username }) => username)).toEqual(['eve']);
    await core.store({ username: 'eve', password: 'newer-EXAMPLE' });
    await core.tombstones.bury(entryOf(core, 'eve'));
    expect(await rests(core)).toEqual([]);
  });

  it('is not brought back once its value is known to be dead', async () => {
    const core = new Core();
    for (const username of ['ada', 'bob']) await core.store({ username, password: 'one-EXAMPLE' });
    await core.erase({ username: 'ada' });
    // As where the backend failed behind the tombstone.
    core.backend.faults.set('remove', 'backend_failed');
    expect(await codeOf(core.tombstones.bury(entryOf(core, 'bob')))).toBe('backend_failed');
    core.backend.faults.clear();
    expect(await codeOf(core.bin.restore(core.bin.all()[0]!.id, false))).toBe('token_revoked');
  });
});

describe('bringing back', () => {
  it('asks where another has its place; the one that it replaces lies in the bin then', async () => {
    const core = new Core();
    await core.store({ password: 'old-EXAMPLE' });
    const { id } = entryOf(core);
    await core.erase();
    await core.store({ password: 'new-EXAMPLE' });
    const other = entryOf(core).id;
    expect(await codeOf(core.bin.restore(id, false))).toBe('interaction_required');
    expect(await core.get()).toBe('ada new-EXAMPLE');
    await core.bin.restore(id, true);
    expect(await core.get()).toBe('ada old-EXAMPLE');
    expect(core.bin.all()).toMatchObject([{ id: other }]);
    await core.bin.restore(other, true);
    expect(await core.get()).toBe('ada new-EXAMPLE');
    expect(await core.backend.credentials()).toHaveLength(1);
  });

  it('leaves both where they are when the backend fails in the middle', async () => {
    const core = new Core();
    await core.store({ password: 'old-EXAMPLE' });
    const { id } = entryOf(core);
    await core.erase();
    await core.store({ password: 'new-EXAMPLE' });
    let moves = 0;
    const { move } = core.backend;
    core.backend.move = async (from, to) => {
      if (++moves === 2) core.backend.faults.set('put', 'backend_full');
      try {
        return await move.call(core.backend, from, to);
      } finally {
        core.backend.faults.clear();
      }
    };
    expect(await codeOf(core.bin.restore(id, true))).toBe('backend_full');
    expect(await core.get()).toBe('ada new-EXAMPLE');
    expect(core.bin.all()).toMatchObject([{ id }]);
  });

  it('of what is not there, or was brought back already, is told', async () => {
    const core = new Core();
    await core.store();
    const { id } = entryOf(core);
    await core.erase();
    const twice = [core.bin.restore(id, false), core.bin.restore(id, false)];
    const ended = await Promise.allSettled(twice);
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await codeOf(core.bin.restore(id, false))).toBe('not_found');
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('is shut by a lock, and serves again after it', async () => {
    const core = new Core();
    await core.store();
    const { id } = entryOf(core);
    await core.erase();
    await core.credentials.lifecycle.lock();
    expect(core.bin.all()).toEqual([]);
    expect(await codeOf(core.bin.restore(id, false))).toBe('not_found');
    await core.credentials.lifecycle.unlock({ mayPrompt: false });
    await core.bin.restore(id, false);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });

  it('also behind a migration, where nothing stays in the old backend', async () => {
    const core = new Core();
    await core.store();
    const { id } = entryOf(core);
    await core.erase();
    const next = new FakeBackend();
    await core.migrate(next, () => {});
    expect(await rests(core)).toEqual([]);
    expect(core.bin.all()).toHaveLength(1);
    await core.bin.restore(id, false);
    expect(await core.get()).toBe('ada pass-EXAMPLE');
  });
});

describe('the restore bin', () => {
  it('keeps a value for seven days by the boot clock, and no wall clock ends that', async () => {
    const core = new Core();
    await core.store();
    await core.erase();
    core.clock.set('2040-01-01T00:00:00Z');
    expect(core.bin.all()).toHaveLength(1);
    core.clock.advance(7 * DAY - 1);
    expect(core.bin.all()).toMatchObject([{ username: 'ada' }]);
    expect(core.bin.left(core.bin.all()[0]!)).toBe(1);
    core.clock.advance(1);
    expect(core.bin.all()).toEqual([]);
    core.bin.watch();
    await expect.poll(() => rests(core)).toEqual([]);
  });

  it('counts on behind a restart', async () => {
    const core = new Core();
    await core.store();
    await core.erase();
    core.clock.advance(4 * DAY);
    const again = new Core({ backend: core.backend });
    await again.credentials.lifecycle.settled();
    again.clock.advance(4 * DAY);
    expect(again.bin.left(again.bin.all()[0]!)).toBe(3 * DAY);
    again.clock.advance(3 * DAY);
    again.bin.watch();
    await expect.poll(() => rests(again)).toEqual([]);
  });

  it('is emptied at the next opening when it was turned off', async () => {
    const core = new Core();
    await core.store();
    await core.erase();
    const off = new Core({ backend: core.backend, eraseKeep: 0 });
    await off.credentials.lifecycle.settled();
    expect(off.bin.all()).toEqual([]);
    off.bin.watch();
    await expect.poll(() => rests(off)).toEqual([]);
  });

  it(`holds ${ERASED_MAX} values; beyond that the oldest go`, { timeout: 60_000 }, async () => {
    const core = new Core();
    for (let number = 0; number < ERASED_MAX + 3; number++) {
      await core.store({ username: `u${number}` });
      core.clock.advance(1);
      await core.erase({ username: `u${number}` });
    }
    expect(await rests(core)).toHaveLength(ERASED_MAX);
    const users = core.bin.all().map(({ username }) => username);
    expect([users[0], users.at(-1)]).toEqual([`u${ERASED_MAX + 2}`, 'u3']);
  });

  it('keeps no value in memory, and tells none', async () => {
    const core = new Core();
    const kept: string[] = [];
    await core.store({ password: 'canary-EXAMPLE' });
    await core.erase();
    kept.push(JSON.stringify(core.bin.all()), JSON.stringify(core.log));
    expect(kept.join()).not.toContain('EXAMPLE');
    expect((await core.agent.get(aRequest('get'), agentItself)).status).toBe('not-found');
  });
});
