import { expect, test } from 'vitest';
import { prometheusOf } from '../../../daemon/admin/prometheus.ts';

const gauges = { held: 2, unlocked: 1, connections: 3, startedAt: 1_893_456_000, turnedAway: 4 };

test("Prometheus' text: one head a family, buckets summed up, values escaped", () => {
  const text = prometheusOf({
    ...gauges,
    bounds: [0.001, 0.01],
    series: [
      { of: 'requests', action: 'get', tool: 'a"b\\c\nd', status: 'ok', count: 5 },
      { of: 'latency', action: 'get', buckets: [1, 0, 2], sum: 0.5 },
      { of: 'backend', call: 'put', outcome: 'failed', buckets: [0, 1, 0], sum: 0.005 },
      { of: 'refreshes', outcome: 'ok', count: 7 },
    ],
  });
  const lines = text.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'keyhold_credentials_held 2',
      'keyhold_credentials_unlocked 1',
      'keyhold_connections 3',
      'keyhold_start_time_seconds 1893456000',
      'keyhold_requests_total{action="get",tool="a\\"b\\\\c\\nd",status="ok"} 5',
      'keyhold_request_duration_seconds_bucket{action="get",le="0.001"} 1',
      'keyhold_request_duration_seconds_bucket{action="get",le="0.01"} 1',
      'keyhold_request_duration_seconds_bucket{action="get",le="+Inf"} 3',
      'keyhold_request_duration_seconds_sum{action="get"} 0.5',
      'keyhold_request_duration_seconds_count{action="get"} 3',
      'keyhold_backend_duration_seconds_count{call="put",outcome="failed"} 1',
      'keyhold_refreshes_total{outcome="ok"} 7',
      'keyhold_turned_away_total 4',
    ]),
  );
  const families = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
  expect(new Set(families).size).toBe(families.length);
  for (const line of lines.filter((one) => one !== '' && !one.startsWith('#'))) {
    const name = /^\w+/.exec(line)![0].replace(/_(bucket|sum|count)$/, '');
    expect(families.some((family) => family === name || family === /^\w+/.exec(line)![0])).toBe(true);
  }
});
