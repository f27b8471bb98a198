import { describe, expect, test } from 'vitest';
import type { TokenItem } from '../../../client/cli/token/item.ts';
import { quotaOf } from '../../../client/cli/token/quota.ts';
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

describe('the quota of a service', () => {
  test('counts what is active here, and nothing of another service or past its expiry', () => {
    const held = [...tokens(6), aToken('expired', { expiresAt: NOW - 1 }), aToken('other', { service: 'apkg' })];
    expect(quotaOf(pogodoc, held, NOW)).toEqual({ active: 6, limit: 10 });
    expect(quotaOf(service('github'), held, NOW).limit).toBeUndefined();
  });
});
