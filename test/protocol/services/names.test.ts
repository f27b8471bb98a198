import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkName, proposeName } from '../../../protocol/services/index.ts';
import { aManifest, service } from './manifests.ts';

const hints = { environment: 'staging', app: 'web', host: 'laptop' };
const check = (name: string) => checkName(service('pogodoc'), name, hints);

describe('the name of a token', () => {
  test.each([
    'staging-web-app',
    'dev-john-local',
    'ci-github-actions',
    'mobile-app-prod',
    'production-api',
    'CI Pipeline',
  ])('%s is good', (name) => expect(check(name)).toEqual({ status: 'ok' }));

  test.each(['token1', 'test', 'my-token', 'abc123', 'Test 2', 'TOKEN', 'new_key'])(
    '%s is taken by the service and of no use to people',
    (name) =>
      expect(check(name)).toEqual({
        status: 'poor',
        why: 'it does not say what the token is for',
        proposal: 'staging-web-laptop',
      }),
  );

  test("is at most 20 characters, so that the document's own good example is one too long", () => {
    expect(check('production-api-server')).toEqual({
      status: 'unfit',
      why: 'cannot take this name: it has 21 characters, where 1 to 20 are allowed',
      proposal: 'production-api',
    });
    expect(check('a-token-for-ci-20chr')).toEqual({ status: 'ok' });
  });

  test.each([
    ['', 'it is empty'],
    ['   ', 'it is empty'],
    ['ci\u202etxt', 'it holds a character that steers a terminal'],
    ['ci\u001b[31m', 'it holds a character that steers a terminal'],
    ['ci\nx', 'it holds a character that steers a terminal'],
  ])('%j is refused: %s', (name, why) => {
    expect(check(name)).toMatchObject({ status: 'unfit', why: `cannot take this name: ${why}` });
  });

  test('follows the pattern of the service, in what is proposed too', () => {
    const manifest = aManifest({ limits: { name: { max: 12, pattern: '[a-z][a-z0-9-]*' } } });
    expect(checkName(manifest, 'Web App', hints)).toMatchObject({ status: 'unfit', proposal: 'web-app' });
    const strict = aManifest({ limits: { name: { pattern: '[0-9]+' } } });
    expect(checkName(strict, 'web', hints)).toMatchObject({ status: 'unfit', proposal: undefined });
  });

  test('every proposal is a name that the service takes', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60, unit: 'binary' }),
        fc.string({ maxLength: 40 }),
        fc.string({ maxLength: 40 }),
        (name, app, host) => {
          const proposal = proposeName(service('pogodoc'), name, { app, host, environment: 'production' });
          if (proposal !== undefined) expect(['ok', 'poor']).toContain(checkName(service('pogodoc'), proposal).status);
        },
      ),
    );
  });
});
