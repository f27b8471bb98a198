import { describe, expect, test } from 'vitest';
import { backoffAfter, isInUse, lifeOf, lifetimeOf, phaseOf, retryAfterOf } from '../../../daemon/oauth/schedule.ts';

const never = () => 0;
const NOW = 1_900_000_000;
const DAY = 86_400;
const YEAR = 365 * DAY;

describe('a lifetime', () => {
  test.each([
    [3_600, 3_600],
    ['3600', 3_600],
    [1.9, 1],
    [0, undefined],
    [-1, undefined],
    ['x', undefined],
    ['', undefined],
    [1e12, undefined],
    ['1000000000000', undefined],
    [Number.NaN, undefined],
    [undefined, undefined],
    [null, undefined],
    [{}, undefined],
  ])('of expires_in %j is %j', (given, meant) => expect(lifetimeOf(given)).toBe(meant));
});

describe('a life', () => {
  const hour = { expiresAt: NOW + 3_600, lifetime: 3_600 };

  test('has a quarter of an hour at most to be refreshed in, and ten seconds in which one waits', () => {
    const life = lifeOf(hour, NOW, 500, never);
    expect(life).toEqual({ dueAt: 500 + 2_700, closingAt: 500 + 3_590, deadAt: 500 + 3_600 });
    const at = (seconds: number) => phaseOf(life, 500 + seconds);
    expect([0, 2_699, 2_700, 3_589, 3_590, 3_599.999, 3_600].map(at)).toEqual([
      'fresh',
      'fresh',
      'due',
      'due',
      'closing',
      'closing',
      'dead',
    ]);
  });

  test('is shortened for who needs a token that lives longer', () => {
    const life = lifeOf(hour, NOW, 0, never);
    expect(phaseOf(life, 0, 900)).toBe('fresh');
    expect(phaseOf(life, 2_695, 900)).toBe('closing');
    expect(phaseOf(life, 2_700, 900)).toBe('dead');
  });

  test('begins its window later by chance, and never too late', () => {
    const due = [0, 0.25, 0.5, 0.999].map((chance) => lifeOf(hour, NOW, 0, () => chance).dueAt);
    expect(due).toEqual([...due].sort((one, other) => one - other));
    expect(new Set(due).size).toBe(4);
    expect(Math.max(...due)).toBeLessThan(3_600 - 450 + 1);
  });

  test.each([2, 3, 60])('of %i s has its windows too', (lifetime) => {
    const { dueAt, closingAt, deadAt } = lifeOf({ expiresAt: NOW + lifetime, lifetime }, NOW, 0, never);
    expect(dueAt).toBeGreaterThanOrEqual(lifetime / 2);
    expect(closingAt).toBeGreaterThan(dueAt);
    expect(deadAt).toBe(lifetime);
  });

  test('of sixty days is left alone for all but its last quarter of an hour', () => {
    const life = lifeOf({ expiresAt: NOW + 60 * DAY, lifetime: 60 * DAY }, NOW, 0, never);
    for (let hours = 0; hours < 60 * 24; hours++) expect(phaseOf(life, hours * 3_600)).toBe('fresh');
    expect(phaseOf(life, 60 * DAY - 901)).toBe('fresh');
    expect(phaseOf(life, 60 * DAY - 900)).toBe('due');
  });

  test('gives the leeway that its service asks for, and half of itself at most', () => {
    const early = (leeway: number) => 3_600 - lifeOf({ ...hour, leeway }, NOW, 0, never).dueAt;
    expect([0, 60, 1_200, 100_000].map(early)).toEqual([900, 900, 1_200, 1_800]);
  });

  test('is not lengthened by a wall clock that was set back by a year before the agent started', () => {
    expect(lifeOf(hour, NOW - YEAR, 0, never).deadAt).toBe(3_600);
  });

  test('is over by a wall clock that was set forward by a year: then it is refreshed', () => {
    expect(phaseOf(lifeOf(hour, NOW + YEAR, 0, never), 0)).toBe('dead');
  });

  test('that is learnt after its end is over', () => {
    expect(phaseOf(lifeOf({ expiresAt: NOW }, NOW, 77, never), 77)).toBe('dead');
  });
});

test('only a token that was asked for lately is in use', () => {
  expect(isInUse(undefined, 100, 50)).toBe(false);
  expect(isInUse(50, 100, 50)).toBe(true);
  expect(isInUse(49, 100, 50)).toBe(false);
});

describe('after failures', () => {
  const pauseAfter = (count: number, retryAfter?: number, random = never) => {
    let state: ReturnType<typeof backoffAfter> | undefined;
    for (let at = 0; at < count; at++) state = backoffAfter(state, 1_000, retryAfter, random);
    return state!.until - 1_000;
  };

  test('a service is left alone twice as long each time, up to five minutes', () => {
    expect([1, 2, 3, 4, 9, 10, 5_000].map((count) => pauseAfter(count))).toEqual([1, 2, 4, 8, 256, 300, 300]);
  });

  test('chance shortens a pause by half at most', () => {
    expect(pauseAfter(4, undefined, () => 0.999)).toBeGreaterThanOrEqual(4);
    expect(pauseAfter(4, undefined, () => 0.5)).toBe(6);
  });

  test('a service gets the silence that it asks for, an hour at most', () => {
    expect(pauseAfter(1, 30)).toBe(30);
    expect(pauseAfter(1, 1e9)).toBe(3_600);
    expect(pauseAfter(4, 1)).toBe(8);
    expect(pauseAfter(1, -5)).toBe(1);
  });
});

describe('Retry-After', () => {
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
  test.each([
    ['120', undefined, 120],
    ['Wed, 21 Oct 2026 07:30:00 GMT', date, 120],
    ['Wed, 21 Oct 2026 07:27:00 GMT', date, undefined],
    ['Wed, 21 Oct 2026 07:30:00 GMT', undefined, undefined],
    ['soon', date, undefined],
    [undefined, date, undefined],
  ])('%j by a server whose date is %j means %j', (header, server, meant) => {
    expect(retryAfterOf(header, server)).toBe(meant);
  });
});
