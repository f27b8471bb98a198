import { describe, expect, test } from 'vitest';
import {
  checkManifest,
  gatherManifests,
  MANIFEST_MAX,
  type Manifest,
  problemText,
  rivalOf,
} from '../../../protocol/services/index.ts';
import { aManifest, builtIn } from './manifests.ts';

const slips = (parts: Partial<Manifest>) => {
  const checked = checkManifest(aManifest(parts));
  return checked.status === 'ok' ? [] : checked.problems.map(problemText);
};
const kind = (format: object) => ({ kinds: [{ name: 'pat', format }] });
const rest = (more: object) => ({ rest: { base: 'https://thing.example', ...more } }) as Partial<Manifest>;

describe('checkManifest', () => {
  test('takes the least that a manifest can be', () => {
    expect(checkManifest(aManifest())).toEqual({ status: 'ok', manifest: aManifest() });
  });

  test.each<[string, Partial<Manifest>, string]>([
    ['every host of https', { hosts: [{ host: '*' }] }, 'hosts[0].host must not be every host of https'],
    ['a top-level domain', { hosts: [{ host: '*.org' }] }, 'hosts[0].host must name more than a top-level domain'],
    ['a star in the middle', { hosts: [{ host: 'a.*.example' }] }, 'hosts[0].host may have one "*"'],
    ['two stars', { hosts: [{ host: '*.*.example' }] }, 'hosts[0].host may have one "*"'],
    ['a port in the host', { hosts: [{ host: 'a.example:80' }] }, 'hosts[0].host must be a host name alone'],
    ['http elsewhere', { hosts: [{ host: 'a.example', protocol: 'http' }] }, 'hosts[0].host must not be http'],
    ['a path upwards', { hosts: [{ host: 'a.example', path: 'a/../b' }] }, 'hosts[0].path must be a plain path'],
    [
      'a host twice',
      { hosts: [{ host: 'a.example' }, { host: 'A.example', port: 443 }] },
      'hosts[1] is a place that stands above',
    ],
    ['no host', { hosts: [] }, 'hosts must not be empty without selfHosted: true'],
    ['a kind twice', { kinds: [{ name: 'pat' }, { name: 'pat' }] }, 'kinds[1] has a name that stands above'],
    [
      'a kind without a way',
      { kinds: [{ name: 'pat' }, { name: 'ci' }], auth: [{ scheme: 'bearer', kinds: ['pat'] }] },
      'kinds[1] has no way to Thing',
    ],
    [
      'a nested quantifier',
      kind({ pattern: '(a+)+' }),
      'kinds[0].format.pattern cannot read the pattern: it has a quantifier inside another',
    ],
    ['a backward range', { limits: { name: { pattern: '[z-a]' } } }, 'limits.name.pattern cannot read the pattern'],
    ['a claim without a JWT', kind({ idClaim: 'jti' }), 'kinds[0].format.idClaim is for decode: jwt'],
    ['a length without base64', kind({ decodedLength: 32 }), 'kinds[0].format.decodedLength is for decode: base64'],
    ['a min above its max', kind({ length: { min: 2, max: 1 } }), 'kinds[0].format.length has a min above its max'],
    ['a header without a name', { auth: [{ scheme: 'header' }] }, 'auth[0] lacks the field "name"'],
    ['a name without a header', { auth: [{ scheme: 'bearer', name: 'X' }] }, 'auth[0].name is for header and grpc'],
    [
      'an unknown kind',
      { auth: [{ scheme: 'bearer' }, { scheme: 'raw', kinds: ['ci'] }] },
      'auth[1].kinds[0] is none of "kinds"',
    ],
    ['a page by http', { urls: { docs: 'http://thing.example' } }, 'urls.docs must begin with https://'],
    ['a page with a user', { urls: { docs: 'https://a@thing.example' } }, 'urls.docs must be a plain URL'],
    [
      'a call to elsewhere',
      { rest: { base: 'https://evil.example' } },
      'rest.base is sent tokens, but its host is none of "hosts"',
    ],
    ['a base with a query', { rest: { base: 'https://thing.example/?x=' } }, 'rest.base must have no "?"'],
    [
      'an OAuth endpoint elsewhere',
      { oauth: { grants: ['refresh'], token: 'https://evil.example/t' } },
      'oauth.token is sent tokens',
    ],
    [
      'a secret in a path',
      rest({ show: { method: 'GET', path: '/t/{token}' } }),
      'rest.show.path must not hold {token}',
    ],
    [
      'a secret in a query',
      rest({ show: { method: 'GET', path: '/t', query: { p: '{password}' } } }),
      'rest.show.query.p must not hold {password}',
    ],
    [
      'an unknown placeholder',
      rest({ show: { method: 'GET', path: '/t/{env.HOME}' } }),
      'rest.show.path has an unknown placeholder "{env.HOME}"',
    ],
    [
      'a body of a GET',
      rest({ show: { method: 'GET', path: '/t', body: {} } }),
      'rest.show.body must not be there for GET',
    ],
    [
      'a create without a value',
      rest({ create: { method: 'POST', path: '/t' } }),
      'rest.create lacks "fields" with "value"',
    ],
    [
      'a path to another host',
      rest({ show: { method: 'GET', path: '/..//evil.example/x' } }),
      'rest.show.path must be a plain path',
    ],
    ['a file upwards', { files: [{ path: '~/../../etc/passwd', format: 'json' }] }, 'files[0].path must not hold ".."'],
    [
      'a file of a placeholder',
      { files: [{ path: '~/{host}', format: 'json' }] },
      'files[0].path must not hold {host}',
    ],
    [
      'a context upwards',
      { context: [{ gives: 'server', from: 'file', path: '.x/../../y', format: 'json', pointer: '/a' }] },
      'context[0].path must not hold ".."',
    ],
    [
      'a context without a pointer',
      { context: [{ gives: 'server', from: 'file', path: '.x', format: 'json' }] },
      'context[0] lacks the field "pointer"',
    ],
    [
      'a variable twice',
      {
        env: {
          variables: [
            { name: 'A', holds: 'token' },
            { name: 'A', holds: 'token' },
          ],
        },
      },
      'env.variables[1].name stands there twice',
    ],
    [
      'a value of a token',
      { env: { variables: [{ name: 'A', holds: 'token', value: 'x' }] } },
      'env.variables[0] has a value',
    ],
    [
      'a fixed one without',
      { env: { variables: [{ name: 'A', holds: 'fixed' }] } },
      'env.variables[0] lacks the field "value"',
    ],
    ['a rule of nothing', { errors: [{ cause: 'x', outcome: 'denied' }] }, 'errors[0] lacks what tells it'],
    [
      'a default that is not allowed',
      { limits: { lifetimes: { allowed: ['7d'], default: '8d' } } },
      'limits.lifetimes.default is none of those',
    ],
    [
      'a default above max',
      { limits: { lifetimes: { max: '7d', default: 'never' } } },
      'limits.lifetimes.default is longer than max',
    ],
  ])('refuses %s', (_, parts, words) => {
    expect(slips(parts)).toEqual([expect.stringContaining(words)]);
  });

  test.each([
    'LD_PRELOAD',
    'NODE_OPTIONS',
    'PATH',
    'BASH_ENV',
    'GIT_SSH_COMMAND',
    'PYTHONSTARTUP',
    'https_proxy',
    'KEYHOLD_HOME',
    'CARGO_BUILD_RUSTC',
    'npm_config_script_shell',
  ])('refuses to set %s, which would run code after all', (name) => {
    const variables = [{ name, holds: 'fixed' as const, value: '/tmp/x' }];
    expect(slips({ env: { variables } })).toEqual([expect.stringContaining('must not be one that steers programs')]);
  });

  test('a scheme of its own may mean every host; a server on this machine may be http', () => {
    expect(slips({ hosts: [{ protocol: 'thing', host: '*', port: 'any' }] })).toEqual([]);
    expect(slips({ hosts: [{ protocol: 'http', host: 'localhost', port: 8080 }] })).toEqual([]);
  });
});

describe('rivalOf', () => {
  test('finds who would be found there too, and nobody else', () => {
    const github = { host: 'github.com' };
    expect(rivalOf(aManifest({ hosts: [github] }), builtIn)).toMatchObject({ id: 'github' });
    expect(rivalOf(aManifest({ hosts: [{ ...github, path: 'acme' }] }), builtIn)).toBeUndefined();
    expect(rivalOf(aManifest({ id: 'github', hosts: [github] }), builtIn)).toBeUndefined();
  });
});

describe('gatherManifests', () => {
  const all = JSON.stringify(builtIn);
  const file = (name: string, document: unknown) => ({
    file: `/config/services/${name}`,
    text: JSON.stringify(document),
  });

  test('has the built-in ones and those of the person, by id', () => {
    const { manifests, own, faults } = gatherManifests(all, [file('thing.json', aManifest())]);
    expect(manifests.map(({ id }) => id)).toEqual([...builtIn.map(({ id }) => id), 'thing'].sort());
    expect([...own]).toEqual(['thing']);
    expect(faults).toEqual([]);
  });

  test("lets the person's own stand in place of a built-in one", () => {
    const mine = aManifest({ id: 'npm', title: 'Mine' });
    const { manifests } = gatherManifests(all, [file('npm.json', mine)]);
    expect(manifests).toHaveLength(builtIn.length);
    expect(manifests.find(({ id }) => id === 'npm')?.title).toBe('Mine');
  });

  test('tells of a file that cannot be used, and uses the others', () => {
    const { manifests, faults } = gatherManifests(all, [
      { file: '/c/a.json', text: '{' },
      { file: '/c/b.json', text: ' '.repeat(MANIFEST_MAX + 1) },
      file('c.json', aManifest({ hosts: [] })),
      file('d.json', aManifest()),
      file('thing.json', aManifest()),
    ]);
    expect(faults.map(({ why }) => why)).toEqual([
      'it is not JSON; add it again: keyhold service add FILE',
      'it is longer than 65536 bytes',
      'hosts must not be empty without selfHosted: true',
      'it must be named thing.json',
    ]);
    expect(manifests).toHaveLength(builtIn.length + 1);
  });
});
