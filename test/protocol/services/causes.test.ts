import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Answer, causeOf, isDead, operations } from '../../../protocol/services/index.ts';
import { builtIn, service } from './manifests.ts';

const cause = (id: string, answer: Answer) => causeOf(service(id), answer);

describe('causeOf', () => {
  test.each<[string, Answer, number, string]>([
    ['pogodoc', { status: 401 }, 6, 'not accepted'],
    ['pogodoc', { status: 401, text: 'Your Subscription has ended' }, 5, 'subscription'],
    ['pogodoc', { status: 402 }, 5, 'no active plan'],
    ['pogodoc', { status: 403, operation: 'create' }, 9, '10 active tokens'],
    ['pangolin', { status: 401, text: 'Token has been revoked' }, 8, 'revoked'],
    ['pangolin', { status: 401, text: 'Token expired' }, 7, 'past its expiry'],
    ['pangolin', { status: 401, text: 'Invalid or expired API key' }, 6, 'not accepted'],
    ['pangolin', { status: 401, text: 'Not authenticated' }, 6, 'nobody is signed in'],
    ['pangolin', { status: 403, operation: 'revoke' }, 5, 'only an administrator'],
    ['pangolin', { status: 404, operation: 'revoke' }, 0, 'revoked already'],
    ['podstack', { status: 401, text: 'Token expired' }, 7, 'past its expiry'],
    ['podstack', { status: 401, text: 'Invalid authentication token' }, 6, 'mistyped'],
    ['podstack', { status: 403, text: 'Permission denied for resource' }, 5, 'project'],
    ['podstack', { status: 429 }, 10, 'too many requests'],
    ['apkg', { status: 403, code: 'FORBIDDEN' }, 5, 'scopes'],
    ['github', { status: 403, text: 'API rate limit exceeded' }, 10, 'too many'],
    ['oidc', { status: 400, code: 'invalid_grant' }, 6, 'refresh token'],
  ])('%s %j ends with %i', (id, answer, exit, words) => {
    expect(cause(id, answer)).toMatchObject({ exit, cause: expect.stringContaining(words) });
  });

  test('a 404 to a revoke means that it is done, of any service', () => {
    for (const manifest of builtIn) expect(causeOf(manifest, { status: 404, operation: 'revoke' }).exit).toBe(0);
    expect(cause('apkg', { status: 404, operation: 'show' }).exit).toBe(4);
  });

  test('a 403 and a 5xx never make a token dead, whatever the service and operation', () => {
    const answers = fc.record({
      status: fc.constantFrom(403, 429, 500, 502, 503, 504),
      operation: fc.constantFrom(...operations),
      text: fc.string({ maxLength: 20 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...builtIn), answers, (manifest, answer) => {
        expect(isDead(causeOf(manifest, answer))).toBe(false);
      }),
    );
  });

  test('every answer has a cause and an exit code that commands have', () => {
    const codes = fc.option(fc.constantFrom('FORBIDDEN', 'invalid_grant', 'x'), { nil: undefined });
    fc.assert(
      fc.property(fc.constantFrom(...builtIn), fc.integer({ min: 100, max: 999 }), codes, (manifest, status, code) => {
        const found = causeOf(manifest, { status, ...(code === undefined ? {} : { code }) });
        expect(found.cause).not.toBe('');
        expect([0, 2, 4, 5, 6, 7, 8, 9, 10, 11]).toContain(found.exit);
      }),
    );
  });

  test('says how long to wait, within bounds', () => {
    expect(cause('podstack', { status: 429, retryAfter: 7 }).retryAfter).toBe(7);
    expect(cause('podstack', { status: 429 }).retryAfter).toBe(30);
    expect(cause('podstack', { status: 503, retryAfter: 1e9 }).retryAfter).toBe(3_600);
    expect(cause('podstack', { status: 429, retryAfter: Number.NaN }).retryAfter).toBe(30);
    expect(cause('podstack', { status: 401 })).not.toHaveProperty('retryAfter');
  });

  test('shows nothing of what the service answered', () => {
    const answer = { status: 418, code: 'CANARYxEXAMPLE', text: 'CANARYxEXAMPLE' };
    for (const manifest of builtIn) expect(JSON.stringify(causeOf(manifest, answer))).not.toContain('CANARY');
  });
});
