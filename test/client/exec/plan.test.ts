import { describe, expect, it, test } from 'vitest';
import { checkedName, planOf } from '../../../client/exec/plan.ts';
import type { Manifest, Variable } from '../../../protocol/services/index.ts';
import { service } from '../../protocol/services/manifests.ts';

function aService(more: Partial<Manifest> = {}): Manifest {
  return {
    id: 'one',
    title: 'One',
    hosts: [{ host: '*.one.example' }, { host: 'api.one.example' }, { host: 'one.example', port: 8443, path: '/v1/' }],
    scope: ['host'],
    kinds: [{ name: 'pat' }],
    auth: [{ scheme: 'bearer' }],
    env: {
      variables: [
        { name: 'ONE_TOKEN', holds: 'token' },
        { name: 'ONE_KEY', holds: 'token', alsoSet: true },
        { name: 'ONE_OLD', holds: 'token' },
        { name: 'ONE_URL', holds: 'endpoint' },
        { name: 'ONE_PROJECT', holds: 'project' },
        { name: 'ONE_USER', holds: 'username' },
        { name: 'ONE_MODE', holds: 'fixed', value: 'token' },
      ],
    },
    ...more,
  };
}

const none = { services: [], pairs: [], profile: undefined };
const profile = (settings: Record<string, string>) => new Map(Object.entries(settings));
const plainly = (plain: readonly { name: string; value: string }[]) =>
  Object.fromEntries(plain.map(({ name, value }) => [name, value]));

describe('the plan of a service', () => {
  it('gives its token to the variables of its manifest, from the hosts that are certain, and removes the others', () => {
    const { grants, plain, remove } = planOf({ ...none, services: [aService()] });
    expect(grants).toEqual([
      {
        variables: ['ONE_TOKEN', 'ONE_KEY'],
        targets: [
          { protocol: 'https', host: 'api.one.example', path: undefined },
          { protocol: 'https', host: 'one.example:8443', path: 'v1' },
        ],
        from: 'service one',
        endpoints: [{ name: 'ONE_URL', values: ['https://api.one.example', 'https://one.example:8443'] }],
      },
    ]);
    expect(plainly(plain)).toEqual({ ONE_MODE: 'token' });
    expect(remove).toEqual([{ name: 'ONE_OLD', from: 'service one' }]);
  });

  it('exports project, endpoint and account of the profile, and takes the token of that endpoint', () => {
    const settings = profile({ project: 'p', 'endpoint.one': 'https://eu.one.example/base', account: 'ada' });
    const { grants, plain } = planOf({ ...none, services: [aService()], profile: settings });
    expect(grants[0]!.targets).toEqual([{ protocol: 'https', host: 'eu.one.example', path: undefined }]);
    expect(plainly(plain)).toEqual({
      ONE_URL: 'https://eu.one.example/base',
      ONE_PROJECT: 'p',
      ONE_USER: 'ada',
      ONE_MODE: 'token',
    });
  });

  it('writes the endpoint of the token, and the one of the profile, in the form that the variable takes', () => {
    const written = (value: string) => ({
      variables: [
        { name: 'ONE_TOKEN', holds: 'token' } as const,
        { name: 'ONE_URL', holds: 'endpoint', value } as const,
      ],
    });
    const values = (value: string) =>
      planOf({ ...none, services: [aService({ env: written(value) })] }).grants[0]!.endpoints![0]!.values;
    expect(values('{origin}/v1')).toEqual(['https://api.one.example/v1', 'https://one.example:8443/v1']);
    expect(values('{host}')).toEqual(['api.one.example', 'one.example:8443']);
    expect(values('one.example')).toEqual(['one.example', 'one.example']);
    const settings = profile({ endpoint: 'https://eu.one.example/base/' });
    const named = (fields: Partial<Variable>) => {
      const env = {
        variables: [written('').variables[0]!, { name: 'ONE_URL', holds: 'endpoint', ...fields } as const],
      };
      const { grants, plain } = planOf({ ...none, services: [aService({ env })], profile: settings });
      expect(grants[0]!.endpoints).toBeUndefined();
      return plainly(plain)['ONE_URL'];
    };
    expect(named({ value: '{host}' })).toBe('eu.one.example');
    expect(named({ form: 'host' })).toBe('eu.one.example');
    expect(named({ form: 'origin' })).toBe('https://eu.one.example');
    expect(named({ form: 'url' })).toBe('https://eu.one.example/base');
    expect(named({ form: 'path' })).toBe('/base');
    expect(named({})).toBe('https://eu.one.example/base');
    // The address of the service's own server is not that of the profile's.
    expect(named({ value: 'https://api.one.example/v1', form: 'url' })).toBe('https://eu.one.example/base');
  });

  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['github', {}, { GH_HOST: 'github.com' }],
    ['github', { endpoint: 'https://acme.ghe.com' }, { GH_HOST: 'acme.ghe.com' }],
    ['github-enterprise', { endpoint: 'https://github.corp.example' }, { GH_HOST: 'github.corp.example' }],
    ['gitlab', {}, { GITLAB_HOST: 'https://gitlab.com' }],
    ['gitlab', { endpoint: 'https://gitlab.example.com/' }, { GITLAB_HOST: 'https://gitlab.example.com' }],
    ['apkg', { endpoint: 'https://apkg.example/registry' }, { APKG_REGISTRY: 'https://apkg.example/registry' }],
    ['podstack', { endpoint: 'https://api.podstack.ai/v1' }, { PODSTACK_API_ENDPOINT: 'https://api.podstack.ai/v1' }],
    ['pogodoc', {}, { POGODOC_BASE_URL: 'https://api.pogodoc.com/v1' }],
  ])('%s with %j: %j, as its document says', (id, settings, expected) => {
    const { grants, plain } = planOf({ ...none, services: [service(id)], profile: profile(settings) });
    const endpoints = (grants[0]!.endpoints ?? []).map(({ name, values: [value] }) => [name, value!]);
    expect({ ...Object.fromEntries(endpoints), ...plainly(plain) }).toMatchObject(expected);
  });

  it('gives a token of GitHub Enterprise Server to the variables that gh reads for such a server', () => {
    const settings = profile({ endpoint: 'https://github.corp.example' });
    const { grants } = planOf({ ...none, services: [service('github-enterprise')], profile: settings });
    expect(grants[0]!.variables).toEqual(['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN']);
  });

  it('keeps the path of an endpoint where the service tells tokens apart by it', () => {
    const services = [aService({ scope: ['registry'] })];
    const settings = profile({ endpoint: 'https://eu.one.example/base/' });
    expect(planOf({ ...none, services, profile: settings }).grants[0]!.targets[0]).toMatchObject({ path: 'base' });
  });

  it('never sends its token to an endpoint that is not its own', () => {
    const settings = profile({ endpoint: 'https://evil.example' });
    expect(() => planOf({ ...none, services: [aService()], profile: settings })).toThrow('is no server of one');
  });

  it('does not guess whose endpoint it is where several services are meant', () => {
    const services = [aService(), aService({ id: 'two', env: { variables: [{ name: 'TWO', holds: 'token' }] } })];
    const settings = profile({ endpoint: 'https://eu.one.example' });
    expect(() => planOf({ ...none, services, profile: settings })).toThrow('profile set endpoint.one URL');
  });

  it.each([
    [aService({ env: { variables: [] } }), 'has no variable for a token'],
    [aService({ hosts: [{ host: '*.one.example' }] }), 'has no host of its own'],
  ])('is refused where it would be a guess (%#)', (service, why) => {
    expect(() => planOf({ ...none, services: [service] })).toThrow(why);
  });
});

describe('the plan of --env', () => {
  it('gives what token print would find', () => {
    expect(planOf({ ...none, pairs: [{ name: 'T', url: 'https://ada@git.example/a' }] }).grants).toEqual([
      {
        variables: ['T'],
        targets: [{ protocol: 'https', host: 'git.example', path: 'a', username: 'ada' }],
        from: '--env',
      },
    ]);
  });

  it('keeps a variable that the manifest would remove, because it was named', () => {
    const pairs = [{ name: 'ONE_OLD', url: 'https://git.example' }];
    expect(planOf({ ...none, services: [aService()], pairs }).remove).toEqual([]);
  });

  it.each([
    [[], 'nothing is asked for'],
    [[{ name: '', url: 'https://a' }], '--env needs NAME=URL'],
    [[{ name: 'A-B', url: 'https://a' }], '--env needs NAME=URL'],
    [
      [
        { name: 'T', url: 'https://a' },
        { name: 'T', url: 'https://b' },
      ],
      'two sources are named for T',
    ],
    [[{ name: 'T', url: 'a' }], 'cannot read the URL'],
  ])('refuses %j', (pairs, why) => {
    expect(() => planOf({ ...none, pairs })).toThrow(why);
  });

  it('refuses a variable that a service gets already', () => {
    const pairs = [{ name: 'ONE_TOKEN', url: 'https://git.example' }];
    expect(() => planOf({ ...none, services: [aService()], pairs })).toThrow('two sources are named for ONE_TOKEN');
  });
});

test.each(['PATH', 'LD_PRELOAD', 'LD_AUDIT', 'KEYHOLD_EXEC', 'BASH_ENV', 'IFS', 'HOME'])('%s gets no token', (name) => {
  expect(() => checkedName(name)).toThrow('steers programs');
});
