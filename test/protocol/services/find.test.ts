import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, belongsTo, originOf, scopeKey, serviceFor } from '../../../protocol/services/index.ts';
import { aManifest, builtIn, service } from './manifests.ts';

const idOf = (place: string) => {
  const found = serviceFor(place, builtIn);
  return found.status === 'found' ? found.manifest.id : found.status;
};

describe('an address', () => {
  test('has its parts, whatever the case and the slashes', () => {
    expect(addressOf('HTTPS://Git.Example:8443//a/b/')).toEqual({
      protocol: 'https',
      host: 'git.example',
      port: 8443,
      path: 'a/b',
    });
    expect(addressOf({ protocol: 'https', host: 'git.example', path: 'a' })).toEqual(
      addressOf('https://git.example/a'),
    );
    expect(addressOf('pogo://a.example')?.port).toBeUndefined();
    expect(addressOf('https://[::1]:8080')).toMatchObject({ host: '[::1]', port: 8080 });
  });

  test.each([
    'https://good.example\\@evil.example',
    'https://user@git.example',
    'https://user:pass@git.example',
    'https://git.example?x=1',
    'https://git.example#x',
    'https://git.example/a/../b',
    'https://git.example/a/%2E%2e/b',
    'https://git.example/a%2fb',
    'https://git.example./',
    'https://git..example',
    'https://git.example:0',
    'https://git.example:65536',
    'https://git example',
    'https://gıt.example',
    'https://git.example/\u202egpj',
    'https:///x',
    'git.example',
    '',
  ])('%j is none: two programs could read it differently', (place) => {
    expect(addressOf(place)).toBeUndefined();
  });

  test('survives being written as an origin', () => {
    fc.assert(
      fc.property(
        fc.domain(),
        fc.integer({ min: 1, max: 65_535 }),
        fc.constantFrom('https', 'http', 'pogo'),
        (host, port, protocol) => {
          const address = addressOf(`${protocol}://${host}:${port}`)!;
          expect(addressOf(originOf(address))).toEqual(address);
        },
      ),
    );
  });
});

describe('serviceFor', () => {
  test.each([
    ['https://github.com', 'github'],
    ['https://GitHub.com/owner/repo', 'github'],
    ['https://github.com:443', 'github'],
    ['https://github.com:8443', 'none'],
    ['http://github.com', 'none'],
    ['https://octo.ghe.com', 'github'],
    ['https://a.octo.ghe.com', 'none'],
    ['https://ghe.com', 'none'],
    ['https://evilghe.com', 'none'],
    ['https://github.com.evil.example', 'none'],
    ['https://notgithub.com', 'none'],
    ['https://api.apkg.ai', 'apkg'],
    ['pogo://pogo.example.com:8080', 'pogo'],
    ['pogo://localhost', 'pogo'],
    ['https://api.pogodoc.com/v1', 'pogodoc'],
    ['https://api.podstack.ai', 'podstack'],
    ['https://registry.npmjs.org/', 'npm'],
    ['https://index.crates.io', 'crates-io'],
    ['https://upload.pypi.org/legacy/', 'pypi'],
    ['https://index.docker.io/v1/', 'docker-hub'],
    ['https://elsewhere.example', 'none'],
  ])('%s is %s', (place, id) => {
    expect(idOf(place)).toBe(id);
  });

  test('a rule with a path stands above one without, and its path ends at a slash', () => {
    const all = aManifest({ id: 'all' });
    const acme = aManifest({ id: 'acme', hosts: [{ host: 'thing.example', path: '/acme/' }] });
    const at = (path: string) => serviceFor(`https://thing.example/${path}`, [all, acme]);
    expect(at('acme')).toMatchObject({ manifest: { id: 'acme' } });
    expect(at('acme/x')).toMatchObject({ manifest: { id: 'acme' } });
    expect(at('acmelike')).toMatchObject({ manifest: { id: 'all' } });
  });

  test('an exact host stands above a wildcard, in any order', () => {
    const star = aManifest({ id: 'star', hosts: [{ host: '*.thing.example' }] });
    const exact = aManifest({ id: 'exact', hosts: [{ host: 'a.thing.example' }] });
    for (const all of [
      [star, exact],
      [exact, star],
    ]) {
      expect(serviceFor('https://a.thing.example', all)).toMatchObject({ manifest: { id: 'exact' } });
      expect(serviceFor('https://b.thing.example', all)).toMatchObject({ manifest: { id: 'star' } });
    }
  });

  test('two that are equally near are told as such, never guessed', () => {
    const all = [aManifest({ id: 'one' }), aManifest({ id: 'two' })];
    expect(serviceFor('https://thing.example', all)).toEqual({ status: 'ambiguous', ids: ['one', 'two'] });
  });

  test('no host but that of a rule is ever found: a property of all built-in services', () => {
    const web = builtIn.flatMap(({ hosts }) => hosts).filter(({ protocol = 'https' }) => protocol === 'https');
    fc.assert(
      fc.property(fc.domain(), (host) => {
        fc.pre(!web.some((rule) => host.toLowerCase().endsWith(rule.host.replace('*', ''))));
        expect(serviceFor(`https://${host}`, builtIn)).toEqual({ status: 'none' });
      }),
    );
  });
});

describe('belongsTo', () => {
  test('keeps the tokens of a service on its hosts', () => {
    expect(belongsTo('https://api.pogodoc.com/v1', service('pogodoc'))).toBe(true);
    expect(belongsTo('https://evil.example', service('pogodoc'))).toBe(false);
  });

  test('lets people have servers of their own, by https or on this machine', () => {
    expect(belongsTo('https://registry.internal.example.com', service('apkg'))).toBe(true);
    expect(belongsTo('http://localhost:8080', service('pangolin'))).toBe(true);
    expect(belongsTo('http://127.0.0.1:8080', service('pangolin'))).toBe(true);
    expect(belongsTo('http://pangolin.example', service('pangolin'))).toBe(false);
    expect(belongsTo('ftp://pangolin.example', service('pangolin'))).toBe(false);
  });
});

describe('scopeKey', () => {
  const keyOf = (id: string, place: string, more = {}) => scopeKey(service(id), { place, ...more });

  test('is by host and port for pogo, whatever the path: all repositories of a server share one token', () => {
    expect(keyOf('pogo', 'pogo://Pogo.Example.com:8080/a')).toEqual(keyOf('pogo', 'pogo://pogo.example.com:8080/b'));
    expect(keyOf('pogo', 'pogo://pogo.example.com:8081')).not.toEqual(keyOf('pogo', 'pogo://pogo.example.com:8080'));
    expect(keyOf('pogo', 'pogo://pogo.example.com')).toEqual({ status: 'incomplete', missing: 'port' });
  });

  test('is by registry for apkg: a token of one is none of another', () => {
    const keys = ['https://api.apkg.ai', 'https://api.apkg.ai/team', 'https://registry.internal.example.com'].map(
      (place) => keyOf('apkg', place),
    );
    expect(new Set(keys.map((key) => JSON.stringify(key))).size).toBe(3);
    expect(keyOf('apkg', 'https://api.apkg.ai:443/')).toEqual(keys[0]);
  });

  test('asks for the tenant where there are some', () => {
    expect(keyOf('pangolin', 'https://p.example')).toEqual({ status: 'incomplete', missing: 'tenant' });
    expect(keyOf('pangolin', 'https://p.example', { tenant: 'a' })).toMatchObject({ status: 'ok' });
  });

  test('says that a place cannot be read', () => {
    expect(keyOf('pogo', 'nonsense')).toEqual({ status: 'incomplete', missing: undefined });
  });

  test('is different for different accounts and tenants, whatever characters they hold', () => {
    const part = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(part, part, part, part, (account, tenant, otherAccount, otherTenant) => {
        fc.pre(account !== otherAccount || tenant !== otherTenant);
        const place = 'https://p.example';
        expect(keyOf('pangolin', place, { account, tenant })).not.toEqual(
          keyOf('pangolin', place, { account: otherAccount, tenant: otherTenant }),
        );
      }),
    );
  });
});
