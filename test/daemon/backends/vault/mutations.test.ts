import { expect, it } from 'vitest';
import { damageFiles } from './mutations.ts';

it('never answers from a cut or flipped file with wrong data, and never writes to one', {
  timeout: 120_000,
}, async () => {
  const { outcomes, wrong } = await damageFiles(211, 1_000, 1);
  expect(wrong).toEqual([]);
  expect(outcomes.get('vault_corrupt')).toBeGreaterThan(300);
  expect(outcomes.get('vault_truncated')).toBeGreaterThan(50);
});
