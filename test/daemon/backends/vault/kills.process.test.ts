import { expect, it } from 'vitest';
import { killWriters } from '../../../faults/vault/kills.ts';

it('loses nothing in 15 kills at random moments under stores and erases', async () => {
  const { wrong, acknowledged } = await killWriters(15, 2, 16);
  expect(wrong).toEqual([]);
  expect(acknowledged).toBeGreaterThan(15);
});
