import { expect, it } from 'vitest';
import { killWriters } from './kills.ts';

const KILLS = 500;

it(`loses nothing in ${KILLS} kills at random moments under stores and erases`, async () => {
  const { wrong, acknowledged } = await killWriters(KILLS, 3);
  expect(wrong).toEqual([]);
  expect(acknowledged).toBeGreaterThan(KILLS);
  console.log(`${KILLS} kills, ${acknowledged} acknowledged changes, none lost, none back`);
});
