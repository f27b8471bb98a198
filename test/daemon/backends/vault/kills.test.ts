import { expect, it } from 'vitest';
import { killWriters } from '../../../faults/vault/kills.ts';

it('loses nothing in 40 kills at random moments under stores and erases', async () => {
  const { wrong, acknowledged } = await killWriters(40, 2);
  expect(wrong).toEqual([]);
  expect(acknowledged).toBeGreaterThan(40);
});
