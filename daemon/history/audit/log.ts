import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import { OpenedFile } from '../../opened-file.ts';
import { auditFault } from './audit-fault.ts';
import { type AuditEntry, appendEntry, type ChainedEntry, entryOf, genesis, type Head } from './entry.ts';

const MINUTE = 60;
/** Rows looked at in one go while pruning. */
const PRUNE_STEP = 1_000;
/** Entries that are looked at to find how much time the log has seen: a few milliseconds' work, however long it is. */
const SAMPLES = 2_000;
/** Most seconds that the time between two entries counts for: a wall clock that jumped ahead shows no more than that. */
const GAP_MAX: Seconds = 86_400;

/** So many gets of one credential by one tool, program and working directory within one minute. */
export type Count = {
  readonly credential: string;
  readonly tool: string;
  readonly program: string;
  readonly project: string;
  /** Minutes since 1970. */
  readonly minute: number;
  readonly first: EpochSeconds;
  readonly last: EpochSeconds;
  readonly count: number;
};

/** An entry, and when it was written. */
export type Horizon = { readonly number: number; readonly at: EpochSeconds };

/** All gets of one credential by one tool and program that are known. */
export type Total = Omit<Count, 'project' | 'minute'>;

/**
 * The audit log's file: chained entries, to which lines are only added, and counts of gets. Open in this process alone;
 * entries that `write` returned from are durable (synchronous=FULL), and counts with them; counts that are written alone
 * survive a kill, and a power cut once an entry or a checkpoint has followed them. Throws `audit_damaged`, after which it must not be used
 * any more, and `audit_unwritable`, after which everything is as before. Numbers and times may have any value in it.
 */
export class AuditLog {
  readonly #file: string;
  readonly #sqlite: DatabaseSync;
  readonly #statements: Record<
    | 'after'
    | 'before'
    | 'first'
    | 'sample'
    | 'insert'
    | 'count'
    | 'total'
    | 'totals'
    | 'usage'
    | 'cut'
    | 'forget'
    | 'trim',
    StatementSync
  >;
  readonly #opened: OpenedFile;
  #head: Head;

  constructor(file: string, sqlite: DatabaseSync) {
    this.#file = file;
    this.#sqlite = sqlite;
    this.#statements = {
      after: sqlite.prepare('SELECT number, line, hash FROM entry WHERE number > ? ORDER BY number LIMIT ?'),
      before: sqlite.prepare('SELECT number, line, hash FROM entry WHERE number < ? ORDER BY number DESC LIMIT ?'),
      first: sqlite.prepare('SELECT min(number) AS number FROM entry'),
      sample: sqlite.prepare('SELECT number, line, hash FROM entry WHERE number % ? = 0 ORDER BY number DESC'),
      insert: sqlite.prepare('INSERT INTO entry VALUES (?, ?, ?)'),
      count: sqlite.prepare(
        'INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
      ),
      total: sqlite.prepare(
        `INSERT INTO total VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
          SET count = count + excluded.count, first = min(first, excluded.first), last = max(last, excluded.last)`,
      ),
      totals: sqlite.prepare('SELECT * FROM total'),
      usage: sqlite.prepare(
        'SELECT tool, program, project, minute, count FROM usage WHERE credential = ? ORDER BY minute',
      ),
      cut: sqlite.prepare('DELETE FROM entry WHERE number <= ?'),
      forget: sqlite.prepare('DELETE FROM usage WHERE minute < ?'),
      trim: sqlite.prepare('DELETE FROM total WHERE credential = ? AND last < ?'),
    };
    this.#head = this.before(Number.MAX_SAFE_INTEGER, 1)[0] ?? genesis;
    this.#opened = new OpenedFile(file);
  }

  /** Where the chain ends. */
  get head(): Head {
    return this.#head;
  }

  /** Chains entries and adds counts, all or none of them. */
  write(entries: readonly AuditEntry[], counts: readonly Count[]): void {
    let head = this.#head;
    // Counts come once a second while tools ask, and an fsync would hold up every get behind it.
    const synchronous = entries.length > 0 ? 'FULL' : 'NORMAL';
    this.#transaction(synchronous, () => {
      for (const entry of entries) head = this.#insert(appendEntry(head, entry));
      for (const one of counts) {
        const { credential, tool, program } = one;
        this.#statements.count.run(credential, tool, program, one.project, one.minute, one.count);
        this.#statements.total.run(credential, tool, program, one.first, one.last, one.count);
      }
    });
    this.#head = head;
  }

  /** Up to `limit` entries behind `number`, the oldest first. */
  after(number: number, limit: number): ChainedEntry[] {
    return this.#guard('read', () => this.#statements.after.all(number, limit) as unknown as ChainedEntry[]);
  }

  /** Up to `limit` entries before `number`, the newest first. */
  before(number: number, limit: number): ChainedEntry[] {
    return this.#guard('read', () => this.#statements.before.all(number, limit) as unknown as ChainedEntry[]);
  }

  totals(): Total[] {
    return this.#guard('read', () => this.#statements.totals.all() as unknown as Total[]);
  }

  /** What is known minute by minute about a credential, the oldest first. */
  usageOf(credential: string): Pick<Count, 'tool' | 'program' | 'project' | 'minute' | 'count'>[] {
    return this.#guard('read', () => this.#statements.usage.all(credential) as unknown as Count[]);
  }

  /** What SQLite finds wrong with the file by itself; undefined if nothing. */
  inspect(): string | undefined {
    return this.#guard('read', () => {
      // What is cached would hide what is on the disk.
      this.#sqlite.exec('PRAGMA shrink_memory');
      const [found] = Object.values(this.#sqlite.prepare('PRAGMA integrity_check(1)').get() ?? {});
      return found === 'ok' ? undefined : 'the file is damaged';
    });
  }

  /** How many entries there are. */
  get length(): number {
    const first = this.#guard('read', () => this.#statements.first.get()?.number) as number | null;
    return first === null ? 0 : this.#head.number - first + 1;
  }

  /**
   * The newest entry that was written at least `age` seconds ago for certain; undefined if none was. The time between two
   * entries counts, a day at most: the wall clock may have been set ahead. `witnessed` holds longer times that the boot
   * clock has shown, by the number of the entry before them.
   */
  horizon(now: EpochSeconds, age: Seconds, witnessed: ReadonlyMap<number, Seconds>): Horizon | undefined {
    const step = Math.max(1, Math.ceil(this.length / SAMPLES));
    const sampled = this.#guard('read', () => this.#statements.sample.all(step)) as unknown as ChainedEntry[];
    const extra = [...witnessed.keys()].flatMap((number) => this.after(number - 1, 1));
    const rows = [...sampled, ...extra].sort((one, other) => other.number - one.number);
    let seen = 0;
    let later = now;
    for (const row of rows) {
      const at = dateOf(row);
      if (!Number.isFinite(at)) continue;
      const gap = Math.max(later - at, 0);
      seen += Math.min(gap, Math.max(GAP_MAX, witnessed.get(row.number) ?? 0));
      if (seen >= age) return { number: row.number, at };
      later = at;
    }
    return undefined;
  }

  /**
   * Takes away the entries and counts from before `until`, none behind the entry `through`, and chains an entry that holds the hash up to which it did;
   * totals only of the credentials in `gone`. Answers how many entries went.
   */
  prune(now: EpochSeconds, until: EpochSeconds, gone: readonly string[], through = Number.MAX_SAFE_INTEGER): number {
    const oldest = this.after(0, 1)[0]?.number ?? 0;
    const last = this.#lastBefore(until, through);
    if (!last && gone.length === 0 && !this.#hasUsageBefore(until)) return 0;
    let head = this.#head;
    this.#transaction('FULL', () => {
      if (last) {
        const hash = Buffer.from(last.hash).toString('hex');
        const entry = { at: now, action: 'prune', outcome: 'ok', through: last.number, hash } as const;
        head = this.#insert(appendEntry(head, entry));
        this.#statements.cut.run(last.number);
      }
      this.#statements.forget.run(Math.floor(until / MINUTE));
      for (const credential of gone) this.#statements.trim.run(credential, until);
    });
    this.#head = head;
    return last ? last.number - oldest + 1 : 0;
  }

  /** Takes away the `count` oldest entries, whatever their date, and chains that it did: the log must not fill the disk. */
  shorten(now: EpochSeconds, count: number): void {
    const last = this.after(0, count).at(-1);
    if (!last || last.number >= this.#head.number) return;
    const hash = Buffer.from(last.hash).toString('hex');
    const entry = { at: now, action: 'prune', outcome: 'ok', through: last.number, hash, reason: 'by size' } as const;
    let head = this.#head;
    this.#transaction('FULL', () => {
      head = this.#insert(appendEntry(head, entry));
      this.#statements.cut.run(last.number);
    });
    this.#head = head;
  }

  close(): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  #insert(row: ChainedEntry): Head {
    this.#statements.insert.run(row.number, row.line, row.hash);
    return row;
  }

  /** The last of the entries at the beginning that are all from before `until`, and not behind `through`. */
  #lastBefore(until: EpochSeconds, through: number): ChainedEntry | undefined {
    let last: ChainedEntry | undefined;
    for (;;) {
      const rows = this.after(last?.number ?? 0, PRUNE_STEP);
      for (const row of rows) {
        if (dateOf(row) >= until || row.number > through) return last;
        last = row;
      }
      if (rows.length < PRUNE_STEP) return last;
    }
  }

  #hasUsageBefore(until: EpochSeconds): boolean {
    const query = 'SELECT 1 FROM usage WHERE minute < ? LIMIT 1';
    return this.#guard('read', () => this.#sqlite.prepare(query).get(Math.floor(until / MINUTE)) !== undefined);
  }

  #transaction(synchronous: 'FULL' | 'NORMAL', work: () => void): void {
    const { trouble } = this.#opened;
    if (trouble !== undefined) {
      throw new KeyholdError(
        'audit_unwritable',
        `cannot write ${this.#file}: ${trouble} while the agent had it open; put the file back, then run: keyhold restart`,
      );
    }
    this.#guard('write', () => {
      this.#sqlite.exec(`PRAGMA synchronous = ${synchronous}`);
      this.#sqlite.exec('BEGIN IMMEDIATE');
      try {
        work();
        this.#sqlite.exec('COMMIT');
      } catch (error) {
        if (this.#sqlite.isTransaction) this.#sqlite.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #guard<T>(verb: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw auditFault(error, verb, this.#file);
    }
  }
}

/** What cannot be read as an entry is damaged, which is for `audit verify` to say; it is never old. */
function dateOf({ line }: ChainedEntry): EpochSeconds {
  try {
    return entryOf(line).at;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
