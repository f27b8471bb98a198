import type { Measured } from '../figures.ts';
import { directRequest, token } from '../fixture.ts';
import type { Agent, Rig, Server } from '../rig.ts';
import { median, ratioOf } from '../statistics.ts';
import type { Load } from '../tools.ts';

export type LoadParts = {
  /** Ours, holding 10,000 and holding 10. */
  readonly many: Agent;
  readonly few: Agent;
  /** git's cache daemon, holding 1 and holding 10,000. */
  readonly cacheOne: Server;
  readonly cacheMany: Server;
  /** The file with what a thin client sends for a get. */
  readonly request: string;
};

/** Gets a second and CPU a get: what git's helper causes, and requests over connections that stay. */
export async function measureLoad(
  rig: Rig,
  { many, few, cacheOne, cacheMany, request }: LoadParts,
): Promise<Map<string, Measured>> {
  const direct = await rig.write('direct-request', directRequest);
  // The thin client leaves its side open until the exit code has come; git's cache client closes it.
  const asHelper = ['-q', request, '-H', '-e', token, '-n', '8000'];
  const asCache = ['-q', direct, '-e', token];
  const loads: Record<string, () => Promise<Load>> = {
    cacheOne: () => rig.load(cacheOne, [...asCache, '-n', '8000']),
    many: () => rig.load(many, asHelper),
    cacheMany: () => rig.load(cacheMany, [...asCache, '-n', '3000']),
    few: () => rig.load(few, asHelper),
    connections: () => rig.load(many, [...asCache, '-n', '8000']),
    pipelined: () => rig.load(many, ['-q', direct, '-m', 'pipe', '-d', '16', '-n', '150000']),
  };
  const runs = await interleave(rig.rounds(15), loads);
  const rate = (name: string) => runs.get(name)!.map((load) => load.rate);
  const cpu = (name: string) => runs.get(name)!.map((load) => load.cpu);
  const thousands = (name: string) => `${(median(rate(name)) / 1_000).toFixed(1)} k/s`;
  const micros = (name: string) => `${median(cpu(name)).toFixed(1)} us`;
  const of = (what: typeof rate, show: typeof thousands, ours: string, theirs: string): Measured => ({
    value: ratioOf(what(ours), what(theirs)),
    note: `${show(ours)} against ${show(theirs)}, ${rate(ours).length} rounds`,
  });
  return new Map([
    ['rate/cache-10k', of(rate, thousands, 'many', 'cacheMany')],
    ['rate/cache-1', of(rate, thousands, 'many', 'cacheOne')],
    ['cpu/cache-1', of(cpu, micros, 'many', 'cacheOne')],
    ['cpu/flat', of(cpu, micros, 'many', 'few')],
    ['rate/pipelined', of(rate, thousands, 'pipelined', 'connections')],
  ]);
}

/** A B C, B C A, …; the first round warms up and does not count. */
export async function interleave(
  rounds: number,
  loads: Readonly<Record<string, () => Promise<Load>>>,
): Promise<Map<string, Load[]>> {
  const all = new Map<string, Load[]>(Object.keys(loads).map((name) => [name, []]));
  const entries = Object.entries(loads);
  for (let round = -1; round < rounds; round++) {
    for (let index = 0; index < entries.length; index++) {
      const [name, load] = entries[(round + 1 + index) % entries.length]!;
      const measured = await load();
      if (round >= 0) all.get(name)!.push(measured);
    }
  }
  return all;
}
