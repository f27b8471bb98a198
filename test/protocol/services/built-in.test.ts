import { describe, expect, test } from 'vitest';
import { authOf, checkManifest, kindOf, type Manifest, rivalOf } from '../../../protocol/services/index.ts';
import { builtIn, service } from './manifests.ts';

describe('the built-in services', () => {
  test.each(builtIn.map((manifest) => [manifest.id, manifest] as const))(
    '%s is well, and has no rival',
    (_, manifest) => {
      expect(checkManifest(manifest).status).toBe('ok');
      expect(rivalOf(manifest, builtIn)).toBeUndefined();
      for (const kind of manifest.kinds) expect(authOf(manifest, kind)).toBeDefined();
    },
  );
});

describe('what the seed documents promise', () => {
  const refusal = ({ rest }: Manifest, name: 'revoke' | 'create' | 'refresh') => {
    const call = rest?.[name];
    return call && 'none' in call ? call.none : undefined;
  };

  test('pogo: one token for each server, found from the repository, and no way to revoke one', () => {
    const pogo = service('pogo');
    expect(pogo.scope).toEqual(['host', 'port']);
    expect(pogo.context?.[0]).toMatchObject({ gives: 'server', path: '.pogo.db' });
    expect(refusal(pogo, 'revoke')).toMatch(/cannot revoke/);
    expect(kindOf(pogo, 'ci')).toMatchObject({ memoryOnly: true, lifetimes: { allowed: ['1h'] } });
  });

  test('pogodoc: ten active tokens, names of 1 to 20 characters, its page, its variable', () => {
    expect(service('pogodoc')).toMatchObject({
      limits: { active: 10, name: { min: 1, max: 20 } },
      urls: { create: 'https://app.pogodoc.com/api-tokens' },
      env: { variables: [{ name: 'POGODOC_API_TOKEN', holds: 'token' }, { holds: 'endpoint' }] },
      policy: { rotateEvery: '90d', perEnvironment: true },
      life: { shownOnce: true, restorable: false },
    });
  });

  test('apkg: tokens of a registry, made, listed and revoked by calls; its session file wins over APKG_TOKEN', () => {
    const apkg = service('apkg');
    expect(apkg.rest).toMatchObject({
      create: { method: 'POST', path: '/auth/tokens' },
      list: { method: 'GET', path: '/auth/tokens' },
      revoke: { method: 'DELETE', path: '/auth/tokens/{id}' },
    });
    expect(apkg.env?.precedence).toEqual(['file', 'environment']);
    expect(refusal(apkg, 'refresh')).toBeDefined();
    expect(apkg.login?.[0]).toMatchObject({ way: 'password', secondFactor: ['totp', 'recovery-code'] });
  });

  test('pangolin: ids out of the JWT, its list drops the values that it leaks, revocations are probed again', () => {
    const pangolin = service('pangolin');
    expect(pangolin.kinds[0]?.format).toMatchObject({ decode: 'jwt', idClaim: 'jti', expiryClaim: 'exp' });
    expect(pangolin.rest?.list).toMatchObject({ leaks: ['/token'] });
    expect(pangolin.life?.recheck).toEqual(['24h', '7d', '30d']);
    expect(authOf(pangolin, kindOf(pangolin, 'service-key')!)).toMatchObject({ scheme: 'header', name: 'X-API-Key' });
    expect(pangolin.scope).toContain('tenant');
  });

  test('podstack: five active tokens, six lifetimes, both of its files', () => {
    expect(service('podstack')).toMatchObject({
      limits: { active: 5 },
      kinds: [{ lifetimes: { allowed: ['7d', '30d', '90d', '180d', '365d', 'never'] } }],
    });
    expect(service('podstack').files?.map(({ path }) => path)).toContain('~/.podstack/credentials');
  });
});
