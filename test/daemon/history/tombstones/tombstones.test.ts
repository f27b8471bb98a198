import { describe, expect, it } from 'vitest';
import { TOMBSTONES_MAX } from '../../../../daemon/history/tombstones/tombstones.ts';
import { agentItself } from '../../../../daemon/socket/caller.ts';
import { gatherManifests } from '../../../../protocol/services/index.ts';
import { compileServices } from '../../../../scripts/build/services.ts';
import { FakeBackend } from '../../../fakes/backend.ts';
import { aRequest, Core, plain } from '../../../fakes/core.ts';

const root = new URL('../../../..', import.meta.url).pathname;
const services = gatherManifests(await compileServices(root), []).manifests;

function entryOf(core: Core) {
  return [...core.credentials.entries.all()][0]!;
}

async function buried(core = new Core(), password = 'dead-EXAMPLE'): Promise<Core> {
  await core.store({ password, about: { label: 'laptop' } });
  await core.tombstones.bury(entryOf(core), { reason: 'it was lost', actor: 'ada' });
  return core;
}

describe('a tombstone', () => {
  it('is durable before the credential is removed', async () => {
    const core = new Core();
    await core.store();
    core.backend.faults.set('remove', 'backend_failed');
    await expect(core.tombstones.bury(entryOf(core))).rejects.toMatchObject({ code: 'backend_failed' });
    expect(core.tombstones.all()).toHaveLength(1);
    expect(core.credentials.entries.counts.held).toBe(1);
  });

  it('that cannot be written removes nothing', async () => {
    const core = new Core();
    await core.store();
    core.backend.faults.set('put', 'backend_full');
    await expect(core.tombstones.bury(entryOf(core))).rejects.toMatchObject({ code: 'backend_full' });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect(core.tombstones.all()).toEqual([]);
  });

  it('keeps what was known, when, why and by whom, and no value', async () => {
    const core = await buried();
    expect(core.tombstones.all()).toEqual([
      expect.objectContaining({
        host: 'example.com',
        username: 'ada',
        about: expect.objectContaining({ label: 'laptop' }),
        revokedAt: core.clock.now(),
        reason: 'it was lost',
        actor: 'ada',
      }),
    ]);
    expect(JSON.stringify(await core.backend.list())).not.toContain('dead');
    expect(core.credentials.entries.counts.held).toBe(0);
  });

  it('is answered where a get finds nothing, with the date, until a newer token stands there', async () => {
    const core = await buried();
    core.clock.advance(86_400 * 3);
    const reply = await core.agent.get(aRequest('get'), agentItself);
    expect(reply).toMatchObject({ status: 'revoked' });
    expect(reply.message).toMatch(/^the token was revoked on 20\d\d-\d\d-\d\d \(it was lost\); store a new one$/);
    expect(await core.get({ username: 'ada' })).toBe('revoked');
    expect(await core.get({ username: 'bob' })).toBe('not-found');
    expect(await core.get({ host: 'other.example' })).toBe('not-found');
    await core.store({ password: 'newer-EXAMPLE' });
    expect(await core.get()).toBe('ada newer-EXAMPLE');
  });

  it('refuses its value wherever somebody stores it, git too, and nothing else', async () => {
    const core = await buried();
    for (const host of ['example.com', 'other.example']) {
      expect(await core.store({ host, password: 'dead-EXAMPLE' })).toBe('revoked');
      expect(await core.store({ host, password: 'dead-EXAMPLE', capabilities: plain, timeout: 60 })).toBe('revoked');
    }
    expect(core.credentials.entries.counts.held).toBe(0);
    expect(await core.store({ password: 'alive-EXAMPLE' })).toBe('ok');
  });

  it('knows the other spelling of a base64 token', async () => {
    const core = new Core({ services });
    const at = { protocol: 'pogo', host: 'pogo.example:8080' };
    await core.store({ ...at, password: 'EXAMPLE/EXAMPLE+EXAMPLE+EXAMPw==' });
    await core.tombstones.bury(entryOf(core));
    expect(await core.store({ ...at, password: 'EXAMPLE_EXAMPLE-EXAMPLE-EXAMPw' })).toBe('revoked');
  });

  it('yields to force, and is gone then', async () => {
    const core = await buried();
    expect(await core.store({ password: 'dead-EXAMPLE', force: true })).toBe('ok');
    expect(core.tombstones.all()).toEqual([]);
    expect(await core.get()).toBe('ada dead-EXAMPLE');
    await core.erase();
    expect(await core.get()).toBe('not-found');
  });

  it('is never made by an erase', async () => {
    const core = new Core();
    await core.store();
    await core.erase({ password: 'pass-EXAMPLE' });
    expect(core.tombstones.all()).toEqual([]);
    expect(await core.store()).toBe('ok');
  });

  it('is there after a restart and in another backend, and refuses there', async () => {
    const core = await buried();
    const next = new FakeBackend();
    await core.migrate(next, () => {});
    const again = new Core({ backend: next });
    expect(await again.get()).toBe('revoked');
    expect(await again.store({ password: 'dead-EXAMPLE' })).toBe('revoked');
    expect(again.credentials.entries.counts.held).toBe(0);
  });

  it('serves nobody while all is locked, and comes back with it', async () => {
    const core = await buried();
    await core.credentials.lifecycle.lock();
    expect(await core.get()).toBe('locked');
    expect(await core.store({ password: 'dead-EXAMPLE' })).toBe('locked');
    expect(core.tombstones.all()).toEqual([]);
    await core.credentials.lifecycle.unlock({ mayPrompt: false });
    expect(await core.get()).toBe('revoked');
    expect(await core.store({ password: 'dead-EXAMPLE' })).toBe('revoked');
  });

  it('of a credential that is replaced meanwhile is not made', async () => {
    const core = new Core();
    await core.store();
    const entry = entryOf(core);
    await core.erase();
    await expect(core.tombstones.bury(entry)).rejects.toMatchObject({ code: 'not_found' });
    expect(core.tombstones.all()).toEqual([]);
  });

  it('is one of so many at most, and the oldest go', async () => {
    const core = await buried();
    const { own } = core.credentials;
    const [first] = own.of('tombstone');
    for (let number = 1; number < TOMBSTONES_MAX; number++) {
      await own.put({ ...first!, id: `${number}`, path: `${number}`, storedAt: first!.storedAt + number });
    }
    expect(core.tombstones.all()).toHaveLength(TOMBSTONES_MAX);
    core.clock.advance(TOMBSTONES_MAX);
    await buried(core, 'another-EXAMPLE');
    expect(core.tombstones.all()).toHaveLength(TOMBSTONES_MAX);
    expect(core.tombstones.all().at(-1)?.mark).not.toEqual(core.tombstones.all()[0]?.mark);
    expect(own.has(first!)).toBe(false);
  });
});
