import type { EpochSeconds } from '../../../protocol/credential.ts';
import { fromWire } from '../../../protocol/text.ts';
import type { Asker, Caller } from '../../socket/caller.ts';
import type { Count, Total } from './log.ts';

const MINUTE = 60;
/** The tool of a request that came through no helper. */
export const DIRECT = 'wire';
/** Most counters that wait to be written: a caller that changes its folder at every request fills no memory. */
const WAITING_MAX = 4_096;
/** Longest working directory that is kept, in characters. */
const PROJECT_MAX = 512;

/** Gets of one credential by one tool in one working directory within one minute. */
type Counter = {
  readonly credential: string;
  readonly tool: string;
  readonly cwd: string;
  readonly minute: number;
  /** Who asked first in this minute. */
  readonly asker: Asker;
  first: EpochSeconds;
  last: EpochSeconds;
  /** How many were not written yet. */
  waiting: number;
};

/** First and last use of a credential, and how often it was used, as far as is known. */
export type Use = { readonly first: EpochSeconds; readonly last: EpochSeconds; readonly count: number };
type KnownUse = { first: EpochSeconds; last: EpochSeconds; count: number; readonly by: Set<string> };

/**
 * Counts of gets, in memory until they are written: per credential, tool, program, working directory and minute. Who
 * asks is looked up once for each of these and minute; the others in it count to the same program. No I/O; time is an
 * argument.
 */
export class Usage {
  /** By credential the counter used last, so that the usual get is one lookup. */
  readonly #latest = new Map<string, Counter>();
  readonly #counters = new Map<string, Counter>();
  #waiting: Counter[] = [];
  readonly #known = new Map<string, KnownUse>();

  /**
   * Counts one get. `unknown`: by a program that was never counted before; `first`: nothing waited to be written until
   * now. The caller is looked up where the minute does not know it yet.
   */
  count(
    credential: string,
    tool: string,
    cwd: string,
    now: EpochSeconds,
    caller: Pick<Caller, 'who'>,
  ): 'unknown' | 'first' | 'counted' {
    const minute = Math.floor(now / MINUTE);
    const latest = this.#latest.get(credential);
    const counter =
      latest !== undefined && latest.minute === minute && latest.tool === tool && latest.cwd === cwd
        ? latest
        : this.#counter(credential, tool, cwd, minute, caller);
    counter.last = now;
    if (counter.waiting++ > 0) return 'counted';
    counter.first = now;
    this.#waiting.push(counter);
    if (!this.isKnown(credential, tool, counter.asker.program)) return 'unknown';
    return this.#waiting.length === 1 ? 'first' : 'counted';
  }

  /** Whether a get of this credential by this program was counted before; false too while nothing was read back yet. */
  isKnown(credential: string, tool: string, program: string): boolean {
    return this.#known.get(credential)?.by.has(byOf(tool, program)) === true;
  }

  /** What waits to be written. */
  waiting(): (Count & Asker)[] {
    return this.#waiting.map(({ credential, tool, asker, cwd, minute, first, last, waiting: count }) => {
      return { credential, tool, project: projectOf(cwd), minute, first, last, count, ...asker };
    });
  }

  /** All that waits was written. */
  written(now: EpochSeconds): void {
    for (const count of this.waiting()) this.know(count);
    this.drop(now);
  }

  /** All that waits is given up. */
  drop(now: EpochSeconds): void {
    for (const counter of this.#waiting) counter.waiting = 0;
    this.#waiting = [];
    const minute = Math.floor(now / MINUTE);
    for (const [key, counter] of this.#counters) if (counter.minute !== minute) this.#counters.delete(key);
    for (const [key, counter] of this.#latest) if (counter.minute !== minute) this.#latest.delete(key);
  }

  /** Adds what was written, in this process or in one before. */
  know({ credential, tool, program, first, last, count }: Omit<Total, 'project' | 'minute'>): void {
    const known = this.#known.get(credential);
    if (!known) {
      this.#known.set(credential, { first, last, count, by: new Set([byOf(tool, program)]) });
      return;
    }
    known.first = Math.min(known.first, first);
    known.last = Math.max(known.last, last);
    known.count += count;
    known.by.add(byOf(tool, program));
  }

  /** What was read back is read again. */
  forget(): void {
    this.#known.clear();
  }

  /** What is known about the uses of a credential, without what waits to be written. */
  of(credential: string): Use | undefined {
    return this.#known.get(credential);
  }

  /** Every credential of which a use is known. */
  credentials(): Iterable<string> {
    return this.#known.keys();
  }

  #counter(credential: string, tool: string, cwd: string, minute: number, caller: Pick<Caller, 'who'>): Counter {
    const key = `${credential}\0${tool}\0${cwd}`;
    const found = this.#counters.get(key);
    if (found?.minute === minute) {
      this.#latest.set(credential, found);
      return found;
    }
    // Full: it counts on without the folder, of which there are too many; each credential and tool still has its line.
    const isFull = this.#counters.size >= WAITING_MAX;
    if (isFull && cwd !== '') return this.#counter(credential, tool, '', minute, caller);
    const counter = {
      credential,
      tool,
      cwd,
      minute,
      asker: caller.who(tool !== DIRECT),
      first: 0,
      last: 0,
      waiting: 0,
    };
    this.#counters.set(key, counter);
    this.#latest.set(credential, counter);
    return counter;
  }
}

/** A working directory for people, cut where it is longer than anybody's. */
export function projectOf(wire: string): string {
  return fromWire(wire).slice(0, PROJECT_MAX);
}

function byOf(tool: string, program: string): string {
  return `${tool}\0${program}`;
}
