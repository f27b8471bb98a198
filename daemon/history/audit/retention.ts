import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import type { AuditLog } from './log.ts';

const DAY: Seconds = 86_400;
/** Entries that the log may hold (60 MB), and how many go at once where there are more. */
const ENTRIES_MAX = 200_000;
const SHORTEN_BY = 1_000;

/**
 * How long the log keeps what it holds: by its age, and by a bound of its size. That time has passed is shown by the boot clock
 * and by later entries, because a wall clock that was set ahead shows nothing. Times since boot are arguments.
 */
export class Retention {
  readonly #keep: Seconds;
  /** When it was pruned last. */
  #prunedAt: Seconds | undefined;
  /** When was written last, and the log's last entry then. */
  #wrote: { readonly number: number; readonly boot: Seconds } | undefined;
  /** Seconds behind an entry until the next write, where the boot clock has seen more than a day. */
  readonly #witnessed = new Map<number, Seconds>();

  /** `keep`: how long entries and counts are kept. */
  constructor(keep: Seconds) {
    this.#keep = keep;
  }

  /** Notes a long time without an entry, before the next one is written. */
  beforeWrite(log: AuditLog, boot: Seconds): void {
    if (!this.#wrote || this.#wrote.number !== log.head.number) return;
    const passed = boot - this.#wrote.boot;
    if (passed > DAY) this.#witnessed.set(this.#wrote.number, passed);
  }

  /** The log has been written. */
  wrote(log: AuditLog, boot: Seconds): void {
    this.#wrote = { number: log.head.number, boot };
  }

  /**
   * Takes away what is older than it is kept, once a day, with the totals of credentials that are `gone`; and the oldest entries
   * where there are too many. Answers how many went for their age.
   */
  prune(log: AuditLog, now: EpochSeconds, boot: Seconds, gone: () => readonly string[]): number {
    if (log.length > ENTRIES_MAX) log.shorten(now, SHORTEN_BY);
    if (this.#prunedAt !== undefined && boot - this.#prunedAt < DAY) return 0;
    this.#prunedAt = boot;
    const horizon = log.horizon(now, this.#keep, this.#witnessed);
    if (!horizon) return 0;
    const until = Math.min(now - this.#keep, horizon.at + 1);
    const count = log.prune(now, until, gone(), horizon.number);
    for (const number of this.#witnessed.keys()) if (number <= horizon.number) this.#witnessed.delete(number);
    return count;
  }
}
