import { describe, expect, it, test } from 'vitest';
import type { Manifest } from '../../../protocol/services/index.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const DAY = 86_400;
const apkg = { protocol: 'https', host: 'api.apkg.ai' };
const pogodoc = { protocol: 'https', host: 'api.pogodoc.com' };
const pangolin = { protocol: 'https', host: 'pangolin.example', service: 'pangolin' };

/** Ten tokens of Pogodoc, which is as many as it takes. */
async function full(): Promise<RotationRig> {
  const rig = new RotationRig('pogodoc');
  for (let at = 0; at < 10; at++) await rig.hold(`app-${at}`, { kind: 'pat', host: pogodoc.host });
  return rig;
}

describe('the number of active tokens', () => {
  it('of which the eleventh is refused before anything is asked, with what to free (exit 9; D14, D45, S28)', async () => {
    const rig = await full();
    const said = await rig.ask('create', { ...pogodoc, label: 'one-too-many', check: '1' });
    expect(said).toMatchObject({ status: 'limit-reached', active: '10', limit: '10' });
    expect(said['message']).toBe(
      'cannot create: Pogodoc allows 10 active tokens, and there are 10; revoke one that nobody uses, such as app-0, app-1, app-2: keyhold token list --unused',
    );
    expect(rig.service.asked).toEqual([]);
  });

  it('does not count what has expired, or was revoked (D15)', async () => {
    const rig = await full();
    const [first, second] = [...rig.core.credentials.entries.all()];
    first!.expiresAt = rig.core.clock.now() - 1;
    const wish = { ...pogodoc, label: 'web-staging', check: '1' };
    expect(await rig.ask('create', wish)).toMatchObject({ status: 'ok', way: 'page' });
    first!.expiresAt = undefined;
    await rig.core.tombstones.bury(second!);
    expect(await rig.ask('create', wish)).toMatchObject({ status: 'ok', way: 'page' });
  });

  it('is what the service lists, where that is more than is held here', async () => {
    const limited: Manifest[] = builtIn.map((one) => (one.id === 'apkg' ? { ...one, limits: { active: 3 } } : one));
    const rig = new RotationRig('apkg', undefined, limited);
    await rig.hold('here');
    rig.service.add('elsewhere');
    expect(await rig.ask('create', { ...apkg, label: 'web-staging' })).toMatchObject({ status: 'ok' });
    expect(await rig.ask('create', { ...apkg, label: 'web-next' })).toMatchObject({
      status: 'limit-reached',
      active: '3',
    });
    expect(rig.service.alive()).toHaveLength(3);
  });
});

test('a name that is stored under while the service makes the token: the newer one stays, the made one is revoked', async () => {
  const rig = new RotationRig('apkg');
  await rig.hold('session', { kind: 'session', made: 'login' });
  rig.service.around = async (when, operation) => {
    const newer = { host: apkg.host, username: 'ci', password: 'newer-EXAMPLE', about: { label: 'ci' } };
    if (when === 'after' && operation === 'create') await rig.core.store(newer);
    return undefined;
  };
  const said = await rig.ask('create', { ...apkg, label: 'ci', kind: 'ci' });
  expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('the new token was revoked again') });
  expect(await rig.get('ci', apkg.host)).toBe('ci newer-EXAMPLE');
  expect(rig.service.alive()).toEqual(['apkg_session-0-EXAMPLE']);
});

describe('the name of a new token', () => {
  const wish = (label: string) => ({ ...pogodoc, label, check: '1' });

  test.each(['a', 'x'.repeat(20)])('of 1 to 20 characters is taken where the service says so (%s)', async (name) => {
    expect(await new RotationRig('pogodoc').ask('create', wish(name))).toMatchObject({ status: 'ok' });
  });

  test('of 21 characters is refused with a proposal that fits (exit 2; D6)', async () => {
    const said = await new RotationRig('pogodoc').ask('create', wish('production-api-server'));
    expect(said).toMatchObject({ status: 'bad-request' });
    expect(said['message']).toMatch(/it has 21 characters, where 1 to 20 are allowed; try: production-api$/);
    expect(await new RotationRig('pogodoc').ask('create', wish(''))).toMatchObject({ status: 'bad-request' });
  });

  test('that says nothing is remarked on, with a better one, and a good one is not (D5, D7)', async () => {
    const rig = new RotationRig('pogodoc');
    expect((await rig.ask('create', wish('token1')))['warning[]']).toMatch(
      /does not say what the token is for; better: /,
    );
    expect((await rig.ask('create', wish('staging-web-app')))['warning[]']).toBeUndefined();
  });
});

describe("a service user's key (G13, G19, G30)", () => {
  async function signedIn(): Promise<RotationRig> {
    const rig = new RotationRig('pangolin');
    await rig.hold('tess', { kind: 'session', host: pangolin.host, life: DAY });
    rig.service.prefix = 'pgl_';
    return rig;
  }

  it('is made by a session, kept under its name, and revoked by the session', async () => {
    const rig = await signedIn();
    const made = await rig.ask('create', { ...pangolin, label: 'pipeline', kind: 'service-key', expires_in: '30d' });
    expect(JSON.parse(made['item[]']!)).toMatchObject({ label: 'pipeline', kind: 'service-key', tokenId: 'id-1' });
    // What `list` would answer (PROTOCOL.md §3.7).
    expect(JSON.parse(made['item[]']!)).toMatchObject({
      storedAt: expect.closeTo(rig.core.clock.now(), 1),
      memoryOnly: false,
      uses: 0,
    });
    expect(JSON.stringify(made)).not.toContain('pgl_pipeline');
    const [, key] = [...rig.core.credentials.entries.all()];
    const ended = await rig.ask('revoke', { id: key!.id });
    expect(ended).toMatchObject({ status: 'ok', upstream: 'revoked', probe: 'dead' });
    expect(rig.service.asked).toEqual(['create', 'revoke', 'whoami']);
    expect(rig.service.alive()).toEqual([rig.service.tokens[0]!.value]);
  });

  it('cannot make or end itself: somebody has to sign in', async () => {
    const rig = new RotationRig('pangolin');
    rig.service.prefix = 'pgl_';
    const id = await rig.hold('pipeline', { kind: 'service-key', host: pangolin.host });
    const said = await rig.ask('revoke', { id });
    expect(said).toMatchObject({ status: 'interaction-required' });
    expect(said['message']).toContain('keyhold auth login --service pangolin');
    expect(rig.service.alive()).toHaveLength(1);
  });

  it('is listed apart from sessions, without a value', async () => {
    const rig = await signedIn();
    await rig.ask('create', { ...pangolin, label: 'pipeline', kind: 'service-key' });
    const said = await rig.ask('remote-list', { ...pangolin, kind: 'service-key' });
    expect(said).toMatchObject({ status: 'ok' });
    expect(JSON.stringify(said)).not.toContain('EXAMPLE');
  });
});
