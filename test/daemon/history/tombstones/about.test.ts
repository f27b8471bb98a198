import { describe, expect, it } from 'vitest';
import type { About } from '../../../../protocol/about.ts';
import { gatherManifests } from '../../../../protocol/services/index.ts';
import { compileServices } from '../../../../scripts/build/services.ts';
import { FakeBackend } from '../../../fakes/backend.ts';
import { Core, plain } from '../../../fakes/core.ts';

const root = new URL('../../../..', import.meta.url).pathname;
const services = gatherManifests(await compileServices(root), []).manifests;
const GITHUB = { host: 'github.com', username: 'ada' };
const TOKEN = `ghp_${'a'.repeat(29)}EXAMPLE`;

function aboutOf(core: Core, username = 'ada'): About | undefined {
  return [...core.credentials.entries.all()].find((entry) => entry.username === username)?.about;
}

describe('what is known of a token', () => {
  it('is noted by the agent itself: service, kind, the public prefix, and a fingerprint', async () => {
    const core = new Core({ services });
    await core.store({ ...GITHUB, password: TOKEN });
    expect(aboutOf(core)).toEqual({
      service: 'github',
      kind: expect.any(String),
      prefix: 'ghp_',
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  it('is a fingerprint only, where no service is known or the value has not its form', async () => {
    const core = new Core({ services });
    await core.store({ password: 'pass-EXAMPLE' });
    await core.store({ ...GITHUB, username: 'bob', password: 'a password EXAMPLE' });
    expect(aboutOf(core)).toEqual({ fingerprint: expect.any(String) });
    expect(aboutOf(core, 'bob')).toEqual({ service: 'github', fingerprint: expect.any(String) });
  });

  it('has one fingerprint for two spellings of base64, and another for another value or key', async () => {
    const core = new Core({ services });
    const [standard, url] = ['EXAMPLE/EXAMPLE+EXAMPLE+EXAMPw==', 'EXAMPLE_EXAMPLE-EXAMPLE-EXAMPw'];
    const at = { protocol: 'pogo', host: 'pogo.example:8080' };
    await core.store({ ...at, username: 'one', password: standard });
    await core.store({ ...at, username: 'two', password: url });
    await core.store({ ...at, username: 'three', password: url.replace('X', 'Y') });
    const [one, two, three] = ['one', 'two', 'three'].map((name) => aboutOf(core, name)?.fingerprint);
    expect(one).toBe(two);
    expect(one).not.toBe(three);
    const other = new Core({ services });
    await other.store({ ...at, username: 'one', password: standard });
    expect(aboutOf(other, 'one')?.fingerprint).not.toBe(one);
  });

  it('is kept through a repeated store, by git too, and written anew only where it says more', async () => {
    const core = new Core({ services });
    const about = { label: 'laptop', origin: 'the admin', tokenId: '17', createdAt: 5, scopes: ['repo'] };
    await core.store({ ...GITHUB, password: TOKEN, about });
    const known = aboutOf(core);
    expect(known).toMatchObject(about);
    await core.store({ ...GITHUB, password: TOKEN, capabilities: plain });
    expect(aboutOf(core)).toEqual(known);
    expect(core.backend.calls.put).toBe(1);
    await core.store({ ...GITHUB, password: TOKEN, about: { origin: 'a page', tokenId: undefined } });
    const { tokenId: _, ...rest } = known!;
    expect(aboutOf(core)).toEqual({ ...rest, origin: 'a page' });
    expect(core.backend.calls.put).toBe(2);
  });

  it('is kept by a repeated store after the lease, which knows the value by its fingerprint', async () => {
    const core = new Core({ services });
    const expiresAt = core.clock.now() + 9_000_000;
    await core.store({ ...GITHUB, password: TOKEN, about: { tokenId: '17' }, expiresAt });
    const again = new Core({ services, backend: core.backend });
    await again.store({ ...GITHUB, password: TOKEN, capabilities: plain });
    expect([...again.credentials.entries.all()]).toMatchObject([{ about: { tokenId: '17' }, expiresAt }]);
  });

  it('of another value for the same target is only what is true of the place', async () => {
    const core = new Core({ services });
    const about = { label: 'laptop', account: 'ada', tenant: 't', origin: 'the admin', tokenId: '17', createdAt: 5 };
    await core.store({ ...GITHUB, password: TOKEN, about, expiresAt: core.clock.now() + 99 });
    const before = aboutOf(core)!;
    await core.store({ ...GITHUB, password: TOKEN.replace('aaa', 'bbb'), capabilities: plain });
    const { origin: _o, tokenId: _t, createdAt: _c, fingerprint, ...place } = before;
    expect(aboutOf(core)).toEqual({ ...place, fingerprint: expect.any(String) });
    expect(aboutOf(core)?.fingerprint).not.toBe(fingerprint);
    expect([...core.credentials.entries.all()][0]?.expiresAt).toBeUndefined();
  });

  it('is carried to another backend and read after a restart', async () => {
    const core = new Core({ services });
    await core.store({ ...GITHUB, password: TOKEN, about: { label: 'laptop' } });
    const known = aboutOf(core);
    const next = new FakeBackend();
    expect(await core.migrate(next, () => {})).toEqual({ carried: 1, notRemoved: [], notCarried: [] });
    const again = new Core({ services, backend: next });
    await again.credentials.lifecycle.settled();
    expect(aboutOf(again)).toEqual(known);
    // The key went along: the same value has the same fingerprint.
    await again.store({ host: 'other.example', username: 'copy', password: TOKEN });
    expect(aboutOf(again, 'copy')?.fingerprint).toBe(known?.fingerprint);
    expect(await core.backend.list()).toEqual([]);
  });

  it('takes the label for the username where there is none, so that two do not overwrite each other', async () => {
    const core = new Core();
    for (const label of ['ci', 'b\u00fcro']) {
      await core.store({ username: undefined, password: `${label}-EXAMPLE`, about: { label } });
    }
    expect(core.credentials.entries.counts.held).toBe(2);
    expect(await core.get({ username: 'b\u00c3\u00bcro' })).toContain('ro-EXAMPLE');
    await core.store({ username: undefined, password: 'newer-EXAMPLE', about: { label: 'ci' } });
    expect(core.credentials.entries.counts.held).toBe(2);
  });

  it('follows a label that was renamed', async () => {
    const core = new Core();
    await core.store({ username: undefined, password: 'one-EXAMPLE', about: { label: 'old' } });
    const [entry] = [...core.credentials.entries.all()];
    await core.credentials.changes.annotate(entry!, { ...entry!.about, label: 'new' });
    await core.store({ username: undefined, password: 'two-EXAMPLE', about: { label: 'new' } });
    expect(core.credentials.entries.counts.held).toBe(1);
    expect(await core.get()).toBe('old two-EXAMPLE');
  });

  it('is changed without a look at the secret, durably, and the lease goes on', async () => {
    const core = new Core();
    await core.store();
    const [entry] = [...core.credentials.entries.all()];
    await core.credentials.changes.annotate(entry!, { label: 'laptop' });
    expect(core.backend.calls).toMatchObject({ put: 1, get: 0, annotate: 1 });
    expect(await core.get()).toBe('ada pass-EXAMPLE');
    expect((await core.backend.credentials())[0]?.about).toEqual({ label: 'laptop' });
    core.backend.faults.set('annotate', 'backend_full');
    await expect(core.credentials.changes.annotate(entry!, { label: 'other' })).rejects.toMatchObject({
      code: 'backend_full',
    });
    expect(aboutOf(core)).toEqual({ label: 'laptop' });
    await core.credentials.lifecycle.lock();
    await expect(core.credentials.changes.annotate(entry!, {})).rejects.toMatchObject({ code: 'locked' });
  });

  it('costs a get nothing: no record of our own is read for it', async () => {
    const core = new Core({ services });
    await core.store({ ...GITHUB, password: TOKEN });
    const again = new Core({ services, backend: core.backend });
    const { get } = core.backend.calls;
    expect(await again.get({ host: 'github.com' })).toContain('EXAMPLE');
    expect(core.backend.calls.get).toBe(get + 1);
  });

  it('is not counted among what is held, and no request can name what is ours', async () => {
    const core = new Core();
    await core.store();
    expect(core.credentials.entries.counts).toEqual({ held: 1, unlocked: 1 });
    expect(await core.backend.list()).toHaveLength(2);
    for (const own of core.credentials.own.all()) expect(core.credentials.entries.at(own)).toBeUndefined();
  });
});
