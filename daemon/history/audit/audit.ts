import { existsSync } from 'node:fs';
import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import { asFault, type KeyholdError } from '../../../protocol/errors.ts';
import type { Degradation } from '../../backends/backend.ts';
import type { Clock } from '../../clock.ts';
import type { Emit } from '../../events/agent-event.ts';
import type { Caller } from '../../socket/caller.ts';
import type { AuditEntry, Head, Verdict } from './entry.ts';
import type { Filter } from './filter.ts';
import type { AuditLog } from './log.ts';
import { openAuditLog } from './open-log.ts';
import { type Listed, listEntries, type Page, verifyChain } from './read-log.ts';
import { Repeats } from './repeats.ts';
import { Retention } from './retention.ts';
import { Usage, type Use } from './usage.ts';

/** Milliseconds for which counts are gathered. With the write itself a crash costs less than 1 s of them. */
const COUNTS_EVERY = 800;
/** Milliseconds between two writes of what nobody waits for: a burst of refusals shares one. */
const WRITES_APART = 100;
/** Milliseconds after which writing is tried again where it failed. */
const RETRY_AFTER = 10_000;
/** Entries and counts that are kept in memory while they cannot be written. */
const WAITING_MAX = 10_000;
export type AuditParts = {
  readonly file: string;
  readonly clock: Clock;
  /** How long entries and counts are kept. */
  readonly keep: Seconds;
  readonly emit: Emit;
  /** Whether a credential is held now; undefined while that is not known. */
  readonly isHeld: (id: string) => boolean | undefined;
};

/**
 * The record of what happened: gathers entries and counts, writes them, and says what is wrong where it cannot. The
 * agent goes on without it (ADR 0007): then entries wait in memory, `status` is degraded, and what was lost is an entry
 * of its own later. The file is opened by the first thing that is to be written or read.
 */
export class Audit {
  readonly usage = new Usage();
  readonly #file: string;
  readonly #clock: Clock;
  readonly #retention: Retention;
  readonly #emit: Emit;
  readonly #isHeld: AuditParts['isHeld'];
  readonly #repeats = new Repeats();

  #opened: AuditLog | undefined;
  #fault: KeyholdError | undefined;
  #waiting: AuditEntry[] = [];
  #lost = 0;
  #waiters: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #immediate: NodeJS.Immediate | undefined;
  #wroteAt = Number.NEGATIVE_INFINITY;
  #verifying = 0;
  #disposed = false;

  constructor({ file, clock, keep, emit, isHeld }: AuditParts) {
    this.#file = file;
    this.#clock = clock;
    this.#retention = new Retention(keep);
    this.#emit = emit;
    this.#isHeld = isHeld;
  }

  /** Records a change. Settles when it is durable, or when it could not be written: then `degradations` says so. */
  record(...entries: readonly AuditEntry[]): Promise<void> {
    this.#queue(entries);
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      // In the next turn, so that all changes of this one share a write.
      if (!this.#disposed) this.#immediate ??= setImmediate(() => this.#write());
      else this.#write();
    });
  }

  /** Records a refusal: the first of its kind in a minute at once, the rest by their number when it is over. */
  refused(entry: AuditEntry): void {
    this.#queue(this.#repeats.take(entry.at));
    const first = this.#repeats.note(entry);
    if (first) this.#queue([first]);
    this.#writeIn(first ? this.#soon() : 60_000);
  }

  /** Counts a get that was answered with a credential; the first one by a program becomes an entry too. */
  used(credential: string, tool: string, cwd: string, caller: Pick<Caller, 'who'>): void {
    const noted = this.usage.count(credential, tool, cwd, this.#clock.now(), caller);
    if (noted === 'unknown') this.#writeIn(this.#soon());
    else if (noted === 'first') this.#writeIn(COUNTS_EVERY);
  }

  /** What is worse than it could be. A log that is there and was not needed yet is looked at. */
  degradations(): Degradation[] {
    if (!this.#opened && !this.#fault && existsSync(this.#file)) this.useOf('');
    if (!this.#fault) return [];
    const { code, message } = this.#fault;
    return [{ code, what: `the audit log is not written: ${message}`, remedy: 'the agent serves all the same' }];
  }

  /** First and last use of a credential, and how often; undefined if none is known. */
  useOf(credential: string): Use | undefined {
    try {
      if (!this.#opened && !this.#fault) this.log();
    } catch {
      // `degradations` says so.
    }
    return this.usage.of(credential);
  }

  /** Writes what waits; what it could not write still waits. */
  flush(): void {
    this.#queue(this.#repeats.take(this.#clock.now()));
    this.#write();
  }

  /** The log, with all that waits written to it. Throws why it cannot be read. */
  log(): AuditLog {
    this.flush();
    try {
      return this.#open();
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  /** As `listEntries`. Throws where the file cannot be read. */
  list(filter: Filter, page: Page): Promise<{ readonly found: readonly Listed[]; readonly head: Head }> {
    return listEntries(this.log(), filter, page);
  }

  /** As `verifyChain`. Throws where the file cannot be read. */
  async verify(against?: Head): Promise<Verdict> {
    const log = this.log();
    this.#verifying++;
    try {
      return await verifyChain(log, against, (error) => this.#failed(error));
    } finally {
      this.#verifying--;
    }
  }

  /** Writes what waits and closes the file. */
  dispose(): void {
    this.#disposed = true;
    this.#queue(this.#repeats.take(this.#clock.now(), true));
    this.#write();
    clearTimeout(this.#timer);
    this.#opened?.close();
    this.#opened = undefined;
  }

  #queue(entries: readonly AuditEntry[]): void {
    this.#waiting.push(...entries);
    const excess = this.#waiting.length - WAITING_MAX;
    if (excess <= 0) return;
    this.#waiting.splice(0, excess);
    this.#lost += excess;
  }

  #soon(): number {
    return Math.max(0, this.#wroteAt + WRITES_APART - performance.now());
  }

  /** Writes no later than in so many milliseconds; where writing fails, when it is tried again. */
  #writeIn(delay: number): void {
    if (this.#disposed) return;
    const due = performance.now() + (this.#fault ? Math.max(delay, RETRY_AFTER) : delay);
    if (this.#dueAt <= due) return;
    clearTimeout(this.#timer);
    this.#dueAt = due;
    this.#timer = setTimeout(() => this.flush(), Math.max(due - performance.now(), 0));
    this.#timer.unref();
  }

  #write(): void {
    clearTimeout(this.#timer);
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    try {
      this.#writeWaiting();
    } finally {
      for (const resolve of this.#waiters.splice(0)) resolve();
    }
    // Repeats wait for the end of their minute.
    if (this.#repeats.waiting) this.#writeIn(60_000);
  }

  #writeWaiting(): void {
    const now = this.#clock.now();
    const counts = this.usage.waiting();
    if (this.#waiting.length === 0 && counts.length === 0) return;
    try {
      const log = this.#open();
      const lost = this.#lost > 0 ? [{ at: now, action: 'lost', outcome: 'ok', times: this.#lost } as const] : [];
      this.#retention.beforeWrite(log, this.#clock.sinceBoot());
      log.write([...lost, ...this.#waiting, ...this.#firstUses()], counts);
      this.#retention.wrote(log, this.#clock.sinceBoot());
      this.#waiting = [];
      this.#lost = 0;
      this.usage.written(now);
      this.#recovered();
    } catch (error) {
      this.#failed(error);
      if (counts.length > WAITING_MAX || this.#isLasting()) this.usage.drop(now);
      this.#writeIn(RETRY_AFTER);
    }
    this.#wroteAt = performance.now();
    this.#prune(now);
  }

  /** Entries for what waits to be counted of programs that were never counted before. */
  #firstUses(): AuditEntry[] {
    const seen = new Set<string>();
    const entries: AuditEntry[] = [];
    for (const { credential, tool, program, project, first, uid, pid } of this.usage.waiting()) {
      const key = `${credential}\0${tool}\0${program}`;
      if (seen.has(key) || this.usage.isKnown(credential, tool, program)) continue;
      seen.add(key);
      const use = { credential, tool, program, cwd: project, uid, pid };
      entries.push({ at: first, action: 'first-use', outcome: 'ok', ...use });
    }
    return entries;
  }

  #open(): AuditLog {
    if (this.#opened) return this.#opened;
    // A damaged file, or one of a newer version, does not get better while we run.
    if (this.#isLasting()) throw this.#fault!;
    const log = openAuditLog(this.#file);
    try {
      this.usage.forget();
      for (const total of log.totals()) this.usage.know(total);
    } catch (error) {
      log.close();
      throw error;
    }
    this.#opened = log;
    return log;
  }

  #isLasting(): boolean {
    return this.#fault?.code === 'audit_damaged' || this.#fault?.code === 'audit_newer';
  }

  #failed(error: unknown): void {
    const fault = asFault(error);
    if (fault.code !== this.#fault?.code) this.#emit({ kind: 'audit-failed', code: fault.code });
    this.#fault = fault;
    // Behind a failed write nobody knows what is on the disk: what is read next is read from there.
    try {
      this.#opened?.close();
    } catch {
      // It cannot be told any better than by the fault itself.
    }
    this.#opened = undefined;
  }

  #recovered(): void {
    if (this.#fault) this.#emit({ kind: 'audit-written' });
    this.#fault = undefined;
  }

  /** Takes away what is older than it is kept, once a day, and what is beyond the bound of the log's size. */
  #prune(now: EpochSeconds): void {
    if (!this.#opened || this.#verifying > 0) return;
    try {
      const gone = () => [...this.usage.credentials()].filter((id) => this.#isHeld(id) === false);
      const count = this.#retention.prune(this.#opened, now, this.#clock.sinceBoot(), gone);
      if (count > 0) this.#emit({ kind: 'audit-pruned', count });
    } catch (error) {
      this.#failed(error);
    }
  }
}
