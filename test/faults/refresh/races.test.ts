import { expect, it } from 'vitest';
import { startAgent } from '../../fakes/built-agent.ts';
import { listenWithLogins } from '../../fakes/login-agent.ts';
import { type Opening, raceRefreshes } from './races.ts';

// What a race of the built agent costs is the child that each refresh starts: a quarter of a second of processor time.
it.each<[number, string, Opening]>([
  [500, "the agent's own parts in this process", listenWithLogins],
  [500, 'the built agent and its children', (home) => startAgent({ home })],
])(
  'asks the provider once an expiry in %i races of eight processes, and loses no login: %s',
  async (races, _, open) => {
    const { wrong, calls } = await raceRefreshes(races, open);
    expect(wrong).toEqual([]);
    expect(calls).toBe(races);
  },
);
