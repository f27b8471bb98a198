import { describe, expect, test } from 'vitest';
import { CommandFailure } from '../../../client/cli/failure.ts';
import type { TokenItem } from '../../../client/cli/token/item.ts';
import { quotaOf, refuseBeyondQuota, refuseName } from '../../../client/cli/token/quota.ts';
import { gatherManifests } from '../../../protocol/services/index.ts';
import { compileServices } from '../../../scripts/build/services.ts';

const NOW = 1_900_000_000;
const root = new URL('../../../', import.meta.url).pathname;
const { manifests } = gatherManifests(await compileServices(root), []);
const service = (id: string) => manifests.find((manifest) => manifest.id === id)!;
const pogodoc = service('pogodoc');

const aToken = (label: string, more: Partial<TokenItem> = {}): TokenItem => ({
  id: `id-${label}`,
  protocol: 'https',
  host: 'api.pogodoc.com',
  service: 'pogodoc',
  label,
  storedAt: 1,
  ...more,
});
const tokens = (count: number, more: Partial<TokenItem> = {}) =>
  Array.from({ length: count }, (_, at) => aToken(`t${at}`, { uses: 100 - at, lastUsed: at, ...more }));

function refusal(body: () => unknown): CommandFailure {
  try {
    body();
  } catch (error) {
    if (error instanceof CommandFailure) return error;
  }
  throw new Error('nothing was refused');
}

describe('the quota of a service', () => {
  test('counts what is active here, and nothing of another service or past its expiry', () => {
    const held = [...tokens(6), aToken('expired', { expiresAt: NOW - 1 }), aToken('other', { service: 'apkg' })];
    expect(quotaOf(pogodoc, held, NOW)).toEqual({ active: 6, limit: 10 });
    expect(quotaOf(service('github'), held, NOW).limit).toBeUndefined();
  });

  test('counts what the service lists besides, each token once', () => {
    const remote = [
      { id: 'r1', name: 'elsewhere' },
      { id: 'r2', name: 't0' },
      { id: 'r3' },
      { name: 'old', expiresAt: 5 },
    ];
    const held = [...tokens(2), aToken('third', { tokenId: 'r3' })];
    expect(quotaOf(pogodoc, held, NOW, remote).active).toBe(4);
  });

  test('of ten refuses the eleventh with 9, and names what is used least (D14, D45)', () => {
    expect(() => refuseBeyondQuota(pogodoc, tokens(9), NOW)).not.toThrow();
    const { exitCode, message } = refusal(() => refuseBeyondQuota(pogodoc, tokens(10), NOW));
    expect(exitCode).toBe(9);
    expect(message).toBe(
      'cannot make another token: Pogodoc takes 10 at once and 10 are active; used least: t9 (used 91 times), t8 (used 92 times), t7 (used 93 times); free one: keyhold token revoke t9',
    );
  });

  test('names an id where a label would not do in a shell, and the page where nothing is held here', () => {
    const held = tokens(10).map((token) => ({ ...token, label: '$(rm \u202e)' }));
    const { message } = refusal(() => refuseBeyondQuota(pogodoc, held, NOW));
    expect(message).toContain('keyhold token revoke id-t9');
    expect(message).not.toContain('\u202e');
    const remote = Array.from({ length: 10 }, (_, at) => ({ id: `${at}` }));
    expect(refusal(() => refuseBeyondQuota(pogodoc, [], NOW, remote)).message).toMatch(
      /10 are active; revoke one on its page$/,
    );
  });
});

describe('the name of a new token', () => {
  test('of 21 characters is refused with a proposal (D6)', () => {
    const { exitCode, message } = refusal(() => refuseName(pogodoc, 'production-api-server', {}));
    expect(exitCode).toBe(2);
    expect(message).toMatch(/it has 21 characters, where 1 to 20 are allowed; such as production-api$/);
  });

  test('that says nothing is remarked on, and a good one is not (D7)', () => {
    expect(refuseName(pogodoc, 'token1', { environment: 'staging', app: 'web' })).toMatch(/such as staging-web/);
    expect(refuseName(pogodoc, 'staging-web-app', {})).toBeUndefined();
  });
});
