import { describe, expect, it } from 'vitest';
import { routeOf } from '../../../daemon/services/route.ts';
import { readConfig } from '../../../protocol/config.ts';
import type { Call, Manifest } from '../../../protocol/services/index.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const DAY = 86_400;
const host = 'api.apkg.ai';

/** apkg, if it had a call that gives a fresh token. */
function refreshing(body?: Call['body']): Manifest[] {
  const apkg = builtIn.find(({ id }) => id === 'apkg')!;
  const refresh: Call = { method: 'POST', path: '/auth/refresh', ...(body && { body }), fields: { value: '/token' } };
  return [{ ...apkg, rest: { ...apkg.rest!, refresh } }];
}
const byRefreshToken = refreshing({ refreshToken: '{refreshToken}' });

async function signedIn(manifests: readonly Manifest[]) {
  const rig = new RotationRig('apkg', undefined, manifests);
  const { value } = rig.service.add('ada');
  rig.service.refreshToken = 'refresh-EXAMPLE';
  const about = { service: 'apkg', kind: 'session', label: 'ada', account: 'ada' };
  await rig.core.store({ host, username: 'ada', password: value, refresh: 'refresh-EXAMPLE', about });
  const [entry] = [...rig.core.credentials.entries.all()];
  return { rig, id: entry!.id };
}

describe('a refresh by a call of the service', () => {
  it('trades the token for a fresh one by its refresh token, under the same id and label', async () => {
    const { rig, id } = await signedIn(byRefreshToken);
    rig.service.life = DAY;
    const said = await rig.ask('refresh', { id });
    expect(said).toMatchObject({ status: 'ok', expires_at: String(rig.core.clock.now() + DAY) });
    expect(await rig.get('ada')).toBe('ada apkg_refreshed-1-EXAMPLE refresh refresh-EXAMPLE');
    const [entry, ...others] = [...rig.core.credentials.entries.all()];
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ id, about: { label: 'ada', account: 'ada', kind: 'session' } });
  });

  it('keeps the refresh token that came with it: the old one is spent', async () => {
    const { rig, id } = await signedIn(byRefreshToken);
    rig.service.spendsRefreshToken = true;
    await rig.ask('refresh', { id });
    expect(await rig.get('ada')).toBe('ada apkg_refreshed-1-EXAMPLE refresh refresh-EXAMPLE-next');
    expect(await rig.ask('refresh', { id })).toMatchObject({ status: 'ok' });
    expect(await rig.get('ada')).toBe('ada apkg_refreshed-2-EXAMPLE refresh refresh-EXAMPLE-next-next');
  });

  it('goes by the token itself where the service has it so', async () => {
    const { rig, id } = await signedIn(refreshing());
    expect(await rig.ask('refresh', { id })).toMatchObject({ status: 'ok' });
    expect(await rig.get('ada')).toBe('ada apkg_ada-1-EXAMPLE refresh refresh-EXAMPLE');
    expect(rig.service.alive()).toEqual(['apkg_ada-1-EXAMPLE']);
  });

  it('leaves what is stored in its place meanwhile, and says so', async () => {
    const { rig, id } = await signedIn(byRefreshToken);
    rig.service.spendsRefreshToken = true;
    rig.service.around = async (when) => {
      if (when === 'after') await rig.core.store({ host, username: 'ada', password: 'newer-EXAMPLE' });
      return undefined;
    };
    const said = await rig.ask('refresh', { id });
    expect(said).toMatchObject({ status: 'denied', message: expect.stringContaining('that one stays') });
    expect(await rig.get('ada')).toBe('ada newer-EXAMPLE');
  });

  it('that fails changes nothing, and is not tried again', async () => {
    const { rig, id } = await signedIn(byRefreshToken);
    const before = await rig.get('ada');
    for (const failure of ['late', 'cut', 'unreachable'] as const) {
      rig.service.around = async () => ({ failure });
      expect(await rig.ask('refresh', { id })).toMatchObject({ status: 'unavailable' });
    }
    rig.service.around = async () => undefined;
    rig.service.refreshToken = 'another-EXAMPLE';
    expect(await rig.ask('refresh', { id })).toMatchObject({ status: 'interaction-required' });
    expect(rig.service.asked).toHaveLength(4);
    expect(await rig.get('ada')).toBe(before);
  });

  it('needs a refresh token where the call takes one, and a service that has the call', async () => {
    const rig = new RotationRig('apkg', undefined, byRefreshToken);
    const id = await rig.hold('ci');
    const said = await rig.ask('refresh', { id });
    expect(said).toMatchObject({ status: 'interaction-required', message: expect.stringContaining('auth login') });
    expect(rig.service.asked).toEqual([]);
    const without = await signedIn(builtIn);
    expect(await without.rig.ask('refresh', { id: without.id })).toMatchObject({ status: 'unsupported' });
  });
});

describe('upstream.offline', () => {
  it('asks no service for anything, and says how to change that; what is held is served', async () => {
    const route = () => routeOf(readConfig({ upstream: { offline: 'on' } }));
    const rig = new RotationRig('apkg', undefined, byRefreshToken, route);
    const id = await rig.hold('ci', { life: 90 * DAY });
    const asked: [string, Record<string, string>][] = [
      ['remote-list', { protocol: 'https', host }],
      ['remote-show', { id }],
      ['create', { protocol: 'https', host, label: 'web-staging' }],
      ['revoke', { id }],
      ['rotate', { id }],
      ['login', { protocol: 'https', host, account: 'ada', password: 'password-EXAMPLE' }],
    ];
    for (const [action, fields] of asked) {
      const said = await rig.ask(action, fields);
      expect(said, action).toMatchObject({ status: 'unavailable' });
      expect(said['message'], action).toContain('keyhold config set upstream.offline off');
    }
    expect(rig.service.asked).toEqual([]);
    expect(rig.leftovers()).toEqual([]);
    expect(await rig.get('ci')).toBe('ci apkg_ci-0-EXAMPLE');
  });
});
