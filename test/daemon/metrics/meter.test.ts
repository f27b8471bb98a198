import { describe, expect, test } from 'vitest';
import { BOUNDS, Histogram } from '../../../daemon/metrics/histogram.ts';
import { Meter } from '../../../daemon/metrics/meter.ts';
import { timed } from '../../../daemon/metrics/timed.ts';
import { FakeBackend } from '../../fakes/backend.ts';

const series = (meter: Meter) =>
  meter.details().flatMap(([key, value]) => (key === 'item[]' ? [JSON.parse(value) as Record<string, unknown>] : []));
const sum = (numbers: unknown) => (numbers as number[]).reduce((all, one) => all + one, 0);

describe('the meter', () => {
  test('counts requests by action, tool and outcome', () => {
    const meter = new Meter();
    for (let time = 0; time < 3; time++) meter.answered('get', 'git', 'ok', meter.begin('get'));
    meter.answered('get', 'git', 'not-found', meter.begin('get'));
    meter.answered('store', undefined, 'locked', meter.begin('store'));
    expect(series(meter).filter(({ of }) => of === 'requests')).toEqual([
      { of: 'requests', action: 'get', tool: 'git', status: 'ok', count: 3 },
      { of: 'requests', action: 'get', tool: 'git', status: 'not-found', count: 1 },
      { of: 'requests', action: 'store', tool: 'wire', status: 'locked', count: 1 },
    ]);
  });

  test('times one get in 16, the first among them, and all that is no get', () => {
    const meter = new Meter();
    for (let time = 0; time < 33; time++) meter.answered('get', 'git', 'ok', meter.begin('get'));
    for (let time = 0; time < 5; time++) meter.answered('erase', 'git', 'ok', meter.begin('erase'));
    const timedOf = (action: string) =>
      sum(series(meter).find((one) => one['of'] === 'latency' && one['action'] === action)!['buckets']);
    expect([timedOf('get'), timedOf('erase'), timedOf('store')]).toEqual([3, 5, 0]);
  });

  test('starts its refreshes at nothing and adds to them', () => {
    const meter = new Meter();
    meter.refreshed('failed');
    const counts = series(meter).flatMap(({ of, outcome, count }) => (of === 'refreshes' ? [[outcome, count]] : []));
    expect(counts).toEqual([
      ['ok', 0],
      ['failed', 1],
      ['unknown', 0],
    ]);
  });
});

test('a histogram puts what takes exactly as long as a bound below it, and what is longer than all in the last bucket', () => {
  const histogram = new Histogram();
  for (const milliseconds of [0, BOUNDS[0]!, BOUNDS[1]!, 1e9]) histogram.observe(milliseconds);
  const { buckets, sum: total } = histogram.document();
  expect(buckets.slice(0, 2)).toEqual([2, 1]);
  expect(buckets.at(-1)).toBe(1);
  expect(buckets).toHaveLength(BOUNDS.length + 1);
  expect(total).toBeCloseTo(1e6, 3);
});

test('the calls of a backend are measured, failed ones apart, and it stays the backend that it is', async () => {
  const backend = new FakeBackend();
  const meter = new Meter();
  const opened = await timed({ openChosen: async () => backend } as never, meter).openChosen();
  expect(opened).toBe(backend);
  await opened.list();
  await opened.list();
  const held = { protocol: 'https', host: 'a.test', id: 'x', storedAt: 1 };
  expect(await opened.get(held)).toBeUndefined();
  const calls = series(meter).filter(({ of }) => of === 'backend');
  expect(calls.map(({ call, outcome, buckets }) => [call, outcome, sum(buckets)])).toEqual([
    ['list', 'ok', 2],
    ['get', 'ok', 1],
  ]);
});
