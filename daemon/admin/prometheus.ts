type Buckets = { readonly buckets: readonly number[]; readonly sum: number };

/** One series of the action `metrics` (PROTOCOL.md §3.5). */
export type Series =
  | {
      readonly of: 'requests';
      readonly action: string;
      readonly tool: string;
      readonly status: string;
      readonly count: number;
    }
  | ({ readonly of: 'latency'; readonly action: string } & Buckets)
  | ({ readonly of: 'backend'; readonly call: string; readonly outcome: string } & Buckets)
  | { readonly of: 'refreshes'; readonly outcome: string; readonly count: number };

/** What the agent answered to the action `metrics`. */
export type Metrics = {
  readonly held: number;
  readonly unlocked: number;
  readonly connections: number;
  readonly startedAt: number;
  readonly turnedAway: number;
  /** Upper ends of the buckets, in seconds. */
  readonly bounds: readonly number[];
  readonly series: readonly Series[];
};

type Labels = Readonly<Record<string, string | number>>;

/**
 * Prometheus' text format, version 0.0.4: a head for each family, then its samples. Series of a kind that a newer agent
 * may add are left out.
 */
export function prometheusOf({ bounds, series, ...gauges }: Metrics): string {
  const lines: string[] = [];
  const family = (name: string, type: string, help: string) =>
    lines.push(`# HELP keyhold_${name} ${help}`, `# TYPE keyhold_${name} ${type}`);
  const sample = (name: string, labels: Labels, value: number) =>
    lines.push(`keyhold_${name}${labelsOf(labels)} ${value}`);
  const gauge = (name: string, help: string, value: number) => {
    family(name, 'gauge', help);
    sample(name, {}, value);
  };
  const histogram = (name: string, labels: Labels, { buckets, sum }: Buckets) => {
    let count = 0;
    for (const [at, more] of buckets.entries()) {
      count += more;
      sample(`${name}_bucket`, { ...labels, le: bounds[at] ?? '+Inf' }, count);
    }
    sample(`${name}_sum`, labels, sum);
    sample(`${name}_count`, labels, count);
  };

  gauge('credentials_held', 'Credentials that are known.', gauges.held);
  gauge('credentials_unlocked', 'Credentials whose secrets are in memory.', gauges.unlocked);
  gauge('connections', 'Open connections of agent.sock.', gauges.connections);
  gauge('start_time_seconds', 'When the agent started.', gauges.startedAt);

  family('requests_total', 'counter', 'Requests by action, tool and outcome.');
  for (const one of series) {
    if (one.of !== 'requests') continue;
    // Label by label: what else an agent may say of it does not get out.
    sample('requests_total', { action: one.action, tool: one.tool, status: one.status }, one.count);
  }
  family('request_duration_seconds', 'histogram', 'Time from a request to its answer, of gets one in 16.');
  for (const one of series)
    if (one.of === 'latency') histogram('request_duration_seconds', { action: one.action }, one);
  family('backend_duration_seconds', 'histogram', 'Time of a call of the backend.');
  for (const one of series) {
    if (one.of === 'backend') histogram('backend_duration_seconds', { call: one.call, outcome: one.outcome }, one);
  }
  family('refreshes_total', 'counter', 'Refreshes by outcome.');
  for (const one of series) if (one.of === 'refreshes') sample('refreshes_total', { outcome: one.outcome }, one.count);
  family('turned_away_total', 'counter', 'Connections of other users that were turned away.');
  sample('turned_away_total', {}, gauges.turnedAway);
  return `${lines.join('\n')}\n`;
}

/** `{name="value"}`, with what would end a value escaped. */
function labelsOf(labels: Labels): string {
  const quoted = (value: string | number) =>
    String(value).replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${quoted(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
