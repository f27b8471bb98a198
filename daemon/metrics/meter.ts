import type { Detail } from '../../protocol/handler.ts';
import { type Status, statuses } from '../../protocol/status.ts';
import { BOUNDS, Histogram } from './histogram.ts';

/** What a request asks for, as far as it is counted apart: names from outside make no counters. */
export type Kind = 'get' | 'store' | 'erase' | 'manage';
/** The calls of a backend that are measured. */
export type BackendCall = 'list' | 'get' | 'put' | 'remove' | 'unlock';
/** How a refresh can end. */
export type RefreshOutcome = 'ok' | 'failed' | 'unknown';

const kinds: Readonly<Record<Kind, number>> = { get: 0, store: 1, erase: 2, manage: 3 };
const kindNames = Object.keys(kinds) as readonly Kind[];
const statusNames = Object.keys(statuses) as readonly Status[];
const columns = Object.fromEntries(statusNames.map((name, at) => [name, at])) as Readonly<Record<Status, number>>;

/**
 * Of the gets one in so many is timed. A look at the clock costs more than the rest of the counting, and a distribution
 * needs no more; the first is among them.
 */
const TIMED_EACH = 16;
/** Stands for a beginning that was not looked at. */
const UNTIMED = -1;

/** The tool of a request that came through no helper, as in the audit log. */
const DIRECT = 'wire';

/**
 * Counts what the agent does: requests by tool and outcome, and how long they and the backend's calls took. Plain
 * numbers that are added to where something ends, and read by the action `metrics`.
 */
export class Meter {
  /** By tool a number for each kind and status. Tools are the names of our adapters, so there are few. */
  readonly #requests = new Map<string, number[]>();
  readonly #latency = kindNames.map(() => new Histogram());
  readonly #backend = new Map<string, Histogram>();
  readonly #refreshes: Record<RefreshOutcome, number> = { ok: 0, failed: 0, unknown: 0 };
  #turnedAway = 0;
  #gets = 0;
  readonly #came: (() => void) | undefined;

  /** `came` is told of every request, as it begins. */
  constructor(came?: (() => void) | undefined) {
    this.#came = came;
  }

  /** When a request begins, for `answered`. */
  begin(kind: Kind): number {
    this.#came?.();
    return kind !== 'get' || this.#gets++ % TIMED_EACH === 0 ? performance.now() : UNTIMED;
  }

  /** A request that began then has been answered. */
  answered(kind: Kind, tool: string | undefined, status: Status, began: number): void {
    const row = this.#requests.get(tool ?? DIRECT) ?? this.#row(tool ?? DIRECT);
    row[kinds[kind] * statusNames.length + columns[status]]!++;
    if (began !== UNTIMED) this.#latency[kinds[kind]]!.observe(performance.now() - began);
  }

  /** A call of the backend has ended. */
  called(call: BackendCall, isOk: boolean, took: number): void {
    const key = `${call} ${isOk ? 'ok' : 'failed'}`;
    let histogram = this.#backend.get(key);
    if (!histogram) {
      histogram = new Histogram();
      this.#backend.set(key, histogram);
    }
    histogram.observe(took);
  }

  /** A refresh has ended. */
  refreshed(outcome: RefreshOutcome): void {
    this.#refreshes[outcome]++;
  }

  /** Somebody else's process was turned away. */
  turnedAway(): void {
    this.#turnedAway++;
  }

  /** All of it, as the action `metrics` answers it: `bounds` in seconds, and one JSON document for each series. */
  details(): Detail[] {
    return [
      ['bounds', BOUNDS.map((bound) => bound / 1_000).join(' ')],
      ['turned_away', String(this.#turnedAway)],
      ...[...this.#series()].map((series): Detail => ['item[]', JSON.stringify(series)]),
    ];
  }

  *#series(): Iterable<object> {
    for (const [tool, row] of this.#requests) {
      for (const [at, count] of row.entries()) {
        const action = kindNames[Math.floor(at / statusNames.length)];
        if (count > 0) yield { of: 'requests', action, tool, status: statusNames[at % statusNames.length], count };
      }
    }
    for (const [at, action] of kindNames.entries()) yield { of: 'latency', action, ...this.#latency[at]!.document() };
    for (const [key, histogram] of this.#backend) {
      const [call, outcome] = key.split(' ');
      yield { of: 'backend', call, outcome, ...histogram.document() };
    }
    for (const [outcome, count] of Object.entries(this.#refreshes)) yield { of: 'refreshes', outcome, count };
  }

  #row(tool: string): number[] {
    const row = new Array<number>(kindNames.length * statusNames.length).fill(0);
    this.#requests.set(tool, row);
    return row;
  }
}
