import { describe, expect, it } from 'vitest';
import {
  afterLook,
  endOf,
  nextAt,
  planRecheck,
  type Recheck,
  recheckIn,
} from '../../../../daemon/history/tombstones/recheck.ts';

const HOUR = 3_600;
const DAY = 24 * HOUR;
const NOW = 1_900_000_000;
const after = [7 * DAY, DAY, 30 * DAY];
const planned = planRecheck(after, NOW, NOW + 365 * DAY)!;

describe('a plan of rechecks', () => {
  it('has every time that comes before the token dies by itself, in order', () => {
    expect(planned.dueAt).toEqual([NOW + DAY, NOW + 7 * DAY, NOW + 30 * DAY]);
    expect(planRecheck(after, NOW, NOW + 8 * DAY)!.dueAt).toEqual([NOW + DAY, NOW + 7 * DAY]);
    expect(planRecheck(after, NOW)!.dueAt).toHaveLength(3);
  });

  it('is none where the token dies before the first, or there is no time at all', () => {
    expect(planRecheck(after, NOW, NOW + DAY)).toBeUndefined();
    expect(planRecheck([], NOW)).toBeUndefined();
    expect(planRecheck([Number.POSITIVE_INFINITY], NOW)).toBeUndefined();
  });
});

describe('a look', () => {
  it('that finds it dead leaves what is still to come, and after the last there is none', () => {
    const first = afterLook(planned, false, NOW + DAY)!;
    expect(first).toMatchObject({ dueAt: [NOW + 7 * DAY, NOW + 30 * DAY], lookedAt: NOW + DAY });
    expect(nextAt(first)).toBe(NOW + 7 * DAY);
    expect(afterLook(first, false, NOW + 30 * DAY)).toBeUndefined();
  });

  it('catches up with all that were missed', () => {
    expect(afterLook(planned, false, NOW + 10 * DAY)!.dueAt).toEqual([NOW + 30 * DAY]);
    expect(afterLook(planned, false, NOW + 40 * DAY)).toBeUndefined();
  });

  it('without an answer is tried again, after an hour and ever more rarely, at most a day apart', () => {
    let recheck: Recheck = planned;
    const pauses = [];
    let now = NOW + DAY;
    for (let times = 0; times < 8; times++) {
      recheck = afterLook(recheck, undefined, now)!;
      pauses.push((nextAt(recheck) - now) / HOUR);
      now = nextAt(recheck);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 24, 24, 24]);
    expect(afterLook(recheck, false, now)).not.toHaveProperty('retryAt');
  });

  it('ends unanswered a month after the last was planned, and at the expiry in any case', () => {
    expect(endOf(planned)).toBe(NOW + 60 * DAY);
    expect(endOf(planRecheck(after, NOW, NOW + 40 * DAY)!)).toBe(NOW + 40 * DAY);
    const silent = afterLook(planRecheck(after, NOW, NOW + 25 * HOUR)!, undefined, NOW + DAY + 1)!;
    expect(nextAt(silent)).toBe(NOW + 25 * HOUR);
  });

  it('that finds it alive is followed by one every day, until the token expires and no sooner', () => {
    const alive = afterLook(planned, true, NOW + 30 * DAY)!;
    expect(alive).toMatchObject({ isAlive: true, dueAt: [] });
    expect(nextAt(alive)).toBe(NOW + 31 * DAY);
    expect(endOf(alive)).toBe(NOW + 365 * DAY);
    const silent = afterLook(alive, undefined, NOW + 31 * DAY)!;
    expect(silent.isAlive).toBe(true);
    expect(endOf(afterLook(planRecheck(after, NOW)!, true, NOW + DAY)!)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a record', () => {
  it('of a version that wrote something else is not read', () => {
    const record = { protocol: '.keyhold', host: 'recheck', path: 'a', id: 'a', storedAt: NOW };
    expect(recheckIn({ ...record, recheck: planned } as never)?.recheck).toEqual(planned);
    expect(recheckIn(record)).toBeUndefined();
    expect(recheckIn({ ...record, recheck: { dueAt: 'soon' } } as never)).toBeUndefined();
  });
});
