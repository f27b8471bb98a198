import { expect, it } from 'vitest';
import { killRefreshers } from './kills.ts';

const KILLS = 200;

it(`loses no login unsaid in ${KILLS} kills at random moments around a refresh`, async () => {
  const { wrong, untouched, renewed, unknown } = await killRefreshers(KILLS, 2);
  expect(wrong).toEqual([]);
  // A quarter died with the provider's answer held back, and a quarter behind the end.
  expect(Math.min(renewed, unknown)).toBeGreaterThanOrEqual(Math.floor(KILLS / 4));
  console.log(`${KILLS} kills: ${untouched} before the refresh, ${renewed} behind it, ${unknown} in it and said so`);
});
