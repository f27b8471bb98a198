import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Held } from '../../../daemon/backends/backend.ts';
import { Herald } from '../../../daemon/events/herald.ts';
import { FakeClock } from '../../fakes/clock.ts';

const DAY = 86_400;
const LEAD = 900;
const START = Date.parse('2030-01-01T00:00:00Z') / 1_000;

/** A herald whose process is up when the test says so, and all that it tells. */
function aHerald(...expiries: readonly (number | undefined)[]) {
  const clock = new FakeClock();
  let looks = 0;
  const all: Held[] = expiries.map((expiresAt, index) => {
    return { id: `t${index}`, protocol: 'https', host: 'a.test', storedAt: 1, expiresAt };
  });
  const told: object[] = [];
  const attendant = {
    pid: undefined as number | undefined,
    take() {
      attendant.pid = 7;
    },
    tell: (events: object) => told.push(...(events as object[])),
    async dispose() {},
  };
  const held = () => {
    looks++;
    return all;
  };
  const herald = new Herald({
    attendant,
    clock,
    held,
    byId: (id) => all.find((one) => one.id === id),
    lead: LEAD,
  });
  const pass = async (seconds: number, step = 30) => {
    for (let left = seconds; left > 0; left -= step) {
      clock.advance(Math.min(step, left));
      await vi.advanceTimersByTimeAsync(Math.min(step, left) * 1_000);
    }
  };
  return { herald, clock, all, told, attendant, pass, looks: () => looks, listen: () => herald.take({ fd: 9 }) };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what happens', () => {
  it('is told to nobody, and nothing is looked at, while nobody listens', async () => {
    const { herald, told, pass, looks } = aHerald(START + 10);
    herald.heard({ kind: 'stored', id: 't0' });
    await pass(120);
    expect({ told, looks: looks() }).toEqual({ told: [], looks: 0 });
    // It has none of its own: its end takes none away.
    const timers = vi.getTimerCount();
    await herald.dispose(0);
    expect(vi.getTimerCount()).toBe(timers);
  });

  it('is told by id and time, once somebody listens; what is none of the events is not', async () => {
    const { herald, told, listen, pass } = aHerald(undefined, START + 40 * DAY);
    listen();
    for (const kind of ['stored', 'rotated', 'refreshed', 'erased', 'buried'] as const)
      herald.heard({ kind, id: 't0' });
    herald.heard({ kind: 'stored', id: 't1' });
    herald.heard({ kind: 'locked' });
    herald.heard({ kind: 'opened', backend: 'vault', held: 2 });
    herald.heard({ kind: 'wanted' });
    herald.heard({ kind: 'wanted', id: 't0' });
    herald.heard({ kind: 'refused', pid: 1, uid: 2 });
    herald.heard({ kind: 'annotated', id: 't0' });
    herald.heard({ kind: 'audit-written' });
    const names = ['stored', 'rotated', 'refreshed', 'erased', 'revoked'];
    await pass(1, 1);
    expect(told).toEqual([
      ...names.map((event) => ({ event, id: 't0', at: START })),
      { event: 'stored', id: 't1', at: START, expiresAt: START + 40 * DAY },
      { event: 'locked', at: START },
      { event: 'unlocked', at: START },
      { event: 'wanted', at: START },
      { event: 'wanted', id: 't0', at: START },
    ]);
  });
});

describe('a token that expires', () => {
  it('is announced once, its lead before, and not before', async () => {
    const { told, listen, pass } = aHerald(START + 3_600, undefined);
    listen();
    await pass(3_600 - LEAD - 60);
    expect(told).toEqual([]);
    await pass(120);
    expect(told).toEqual([expect.objectContaining({ event: 'expiring', id: 't0', expiresAt: START + 3_600 })]);
    await pass(600);
    expect(told).toHaveLength(1);
  });

  it('in 60 days is not announced early, nor looked at all the time', async () => {
    const { told, listen, pass, looks, clock } = aHerald(START + 60 * DAY);
    listen();
    await pass(600);
    expect(told).toEqual([]);
    expect(looks()).toBeLessThanOrEqual(12);
    clock.advance(60 * DAY - LEAD - 700);
    await pass(60);
    expect(told).toEqual([]);
    await pass(120);
    expect(told).toHaveLength(1);
  });

  it('is announced after a suspend, and where the clock is set, within a minute', async () => {
    const { told, listen, pass, clock } = aHerald(START + 12 * 3_600);
    listen();
    await pass(60);
    clock.advance(12 * 3_600 - 300);
    await pass(61);
    expect(told).toHaveLength(1);
    const other = aHerald(START + 400 * DAY);
    other.listen();
    await other.pass(60);
    other.clock.set('2031-02-04T23:50:00Z');
    await other.pass(61);
    expect(other.told).toHaveLength(1);
  });

  it('is announced anew for another expiry, and to whoever comes when all had left', async () => {
    const { herald, told, all, listen, pass, attendant, clock } = aHerald(START + 600);
    listen();
    await pass(1, 1);
    expect(told).toHaveLength(1);
    all[0] = { ...all[0]!, expiresAt: START + 800 };
    herald.heard({ kind: 'refreshed', id: 't0' });
    await pass(1, 1);
    expect(told.map((event) => (event as { event: string }).event)).toEqual(['expiring', 'refreshed', 'expiring']);
    attendant.pid = undefined;
    await pass(61);
    expect(vi.getTimerCount()).toBe(0);
    listen();
    await pass(1, 1);
    expect(told).toHaveLength(4);
    clock.advance(DAY);
    await pass(120);
    expect(told).toHaveLength(4);
  });
});
