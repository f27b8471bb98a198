import { describe, expect, it } from 'vitest';
import { allMade, type Made, madeAfter } from '../../protocol/made.ts';
import { FakeBackend } from '../fakes/backend.ts';
import { Core } from '../fakes/core.ts';
import { RotationRig } from './services/rotation-rig.ts';

/** What is held for ada. */
const held = (core: Core) => core.credentials.entries.at({ protocol: 'https', host: 'example.com', username: 'ada' })!;

describe('how a credential came to be held', () => {
  it('is a tool, where the store says nothing', async () => {
    const core = new Core();
    await core.store();
    expect(held(core)).toMatchObject({ made: 'tool', fronts: [] });
  });

  it.each(allMade)('is what the store says: %s', async (made) => {
    const core = new Core();
    await core.store({ made });
    expect(held(core).made).toBe(made);
  });

  it('stays a login when git repeats the store after each success', async () => {
    const core = new Core();
    await core.store({ made: 'login', about: { label: 'laptop' } });
    await core.store();
    expect(held(core)).toMatchObject({ made: 'login', about: { label: 'laptop' } });
  });

  it('stays a login when a tool stores another value in its place', async () => {
    const core = new Core();
    await core.store({ made: 'login' });
    await core.store({ password: 'another-EXAMPLE' });
    expect(held(core).made).toBe('login');
  });

  it('is noted when a command keeps the value that a tool had stored before', async () => {
    const backend = new FakeBackend();
    const core = new Core({ backend });
    await core.store();
    await core.store({ made: 'login' });
    expect(held(core).made).toBe('login');
    expect((await backend.list()).find(({ username }) => username === 'ada')?.made).toBe('login');
  });

  it('is kept by an annotation, and rests with it', async () => {
    const backend = new FakeBackend();
    const core = new Core({ backend });
    await core.store({ made: 'created' });
    await core.credentials.changes.annotate(held(core), { label: 'renamed' });
    expect(held(core)).toMatchObject({ made: 'created', fronts: [], about: { label: 'renamed' } });
    expect((await backend.list()).find(({ username }) => username === 'ada')).toMatchObject({ made: 'created' });
  });

  it('is kept by a rotation', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci', { life: 90 * 86_400, made: 'created' });
    expect(await rig.rotate(id)).toMatchObject({ status: 'ok', step: 'done' });
    expect([...rig.core.credentials.entries.all()].find((one) => one.id === id)!.made).toBe('created');
  });

  it('is "created" for what a service makes', async () => {
    const rig = new RotationRig();
    await rig.hold('login', { made: 'login' });
    expect(await rig.ask('create', { protocol: 'https', host: 'api.apkg.ai', label: 'web-staging' })).toMatchObject({
      status: 'ok',
    });
    const made = [...rig.core.credentials.entries.all()].map(({ about, made }) => [about?.label, made]);
    expect(Object.fromEntries(made)).toEqual({ login: 'login', 'web-staging': 'created' });
  });

  // The rule: of another value what is said last, of the same the strongest; a tool says nothing.
  it.each([
    ['login', undefined, false, 'login'],
    ['created', 'tool', false, 'created'],
    ['login', 'set', false, 'set'],
    ['login', 'set', true, 'login'],
    ['set', 'login', true, 'login'],
    [undefined, undefined, true, 'tool'],
  ] as const)('after %s and a store that says %s (same value: %s) is %s', (before, said, isSame, after) => {
    expect(madeAfter(before satisfies Made | undefined, said, isSame)).toBe(after);
  });
});
