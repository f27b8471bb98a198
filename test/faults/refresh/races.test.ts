import { expect, it } from 'vitest';
import { listenWithLogins } from '../../fakes/login-agent.ts';
import { raceRefreshes } from './races.ts';

const RACES = 500;

it(`asks the provider once an expiry in ${RACES} races of eight processes, and loses no login`, async () => {
  const { wrong, calls } = await raceRefreshes(RACES, listenWithLogins);
  expect(wrong).toEqual([]);
  expect(calls).toBe(RACES);
});
