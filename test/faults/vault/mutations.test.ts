import { expect, it } from 'vitest';
import { damageFiles } from '../../daemon/backends/vault/mutations.ts';

it('never answers from one of 40,000 damaged files with wrong data, and never writes to one', () => {
  const { outcomes, wrong } = damageFiles(1, 40_000, 2);
  expect(wrong).toEqual([]);
  console.log(Object.fromEntries(outcomes));
});
