import { expect, it } from 'vitest';
import { damageFiles } from '../../daemon/backends/vault/mutations.ts';

it('never answers from one of 8,000 damaged files with wrong data, and never writes to one', async () => {
  const { outcomes, wrong } = await damageFiles(7, 8_000, 2);
  expect(wrong).toEqual([]);
  console.log(Object.fromEntries(outcomes));
});
