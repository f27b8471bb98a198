import { expect, it } from 'vitest';
import { runs } from '../../../runs.ts';
import { damageFiles } from './mutations.ts';

it('never answers from a cut or flipped file with wrong data, and never writes to one', {
  timeout: 120_000,
}, async () => {
  const files = runs(1_000);
  const { outcomes, wrong } = await damageFiles(211, files, 1);
  expect(wrong).toEqual([]);
  expect(outcomes.get('vault_corrupt')).toBeGreaterThan(0.3 * files);
  expect(outcomes.get('vault_truncated')).toBeGreaterThan(0.05 * files);
});
