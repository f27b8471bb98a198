import { describe, expect, test } from 'vitest';
import { environmentOf, secretVariables, winnerOf } from '../../../protocol/services/index.ts';
import { aManifest, service } from './manifests.ts';

describe('environmentOf', () => {
  test('sets the first variable that holds a token and what is set beside it, and takes the others away', () => {
    expect(environmentOf(service('github'))).toEqual({
      token: ['GH_TOKEN', 'GITHUB_TOKEN'],
      plain: { endpoint: ['GH_HOST'] },
      fixed: {},
      remove: [],
    });
    expect(environmentOf(service('gitlab'))).toMatchObject({
      token: ['GITLAB_TOKEN'],
      remove: ['GITLAB_ACCESS_TOKEN', 'OAUTH_TOKEN'],
    });
  });

  test('knows what a service wants beside a token', () => {
    expect(environmentOf(service('podstack')).plain).toEqual({
      endpoint: ['PODSTACK_API_ENDPOINT'],
      project: ['PODSTACK_PROJECT'],
      output: ['PODSTACK_OUTPUT'],
    });
    expect(environmentOf(service('pypi')).fixed).toEqual({ TWINE_USERNAME: '__token__' });
  });

  test('goes by the kind: a variable for another kind is removed, not set', () => {
    const manifest = aManifest({
      kinds: [{ name: 'pat' }, { name: 'ci' }],
      env: {
        variables: [
          { name: 'THING_TOKEN', holds: 'token', kinds: ['pat'] },
          { name: 'THING_CI_TOKEN', holds: 'token', kinds: ['ci'] },
        ],
      },
    });
    expect(environmentOf(manifest, 'ci')).toMatchObject({ token: ['THING_CI_TOKEN'], remove: ['THING_TOKEN'] });
    expect(environmentOf(manifest)).toMatchObject({ token: ['THING_TOKEN'], remove: ['THING_CI_TOKEN'] });
  });

  test('is empty where the service has no variable', () => {
    expect(environmentOf(service('pogo'))).toEqual({ token: [], plain: {}, fixed: {}, remove: [] });
    expect(secretVariables(service('pogo'))).toEqual([]);
  });
});

describe('winnerOf', () => {
  test('is what the program does, not what its documents say', () => {
    expect(winnerOf(service('apkg'), ['environment', 'file'])).toBe('file');
    expect(winnerOf(service('podstack'), ['file', 'environment'])).toBe('environment');
    expect(winnerOf(service('podstack'), [])).toBeUndefined();
  });
});
