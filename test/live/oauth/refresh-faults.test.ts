import { expect, it } from 'vitest';
import { startAgent } from '../../fakes/built-agent.ts';
import { killRefreshers } from '../../faults/refresh/kills.ts';
import { raceRefreshes } from '../../faults/refresh/races.ts';

it('asks the provider once an expiry in 10 races of eight processes, and loses no login', async () => {
  const { wrong, calls } = await raceRefreshes(10, (home) => startAgent({ home }));
  expect(wrong).toEqual([]);
  expect(calls).toBe(10);
});

it('loses no login unsaid in 8 kills around a refresh', async () => {
  const { wrong, renewed, unknown } = await killRefreshers(8, 2);
  expect(wrong).toEqual([]);
  // A quarter dies with the provider's answer held back, and a quarter behind the end.
  expect(Math.min(renewed, unknown)).toBeGreaterThanOrEqual(2);
});
