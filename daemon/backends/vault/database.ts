import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { KeyholdError } from '../../../protocol/errors.ts';
import { OpenedFile } from '../../opened-file.ts';
import { corrupt, storageFault } from './storage-fault.ts';

/** One of several changes that are made together. */
export type Change =
  | { readonly put: Uint8Array; readonly held: Uint8Array; readonly secrets: Uint8Array }
  | { readonly annotate: Uint8Array; readonly held: Uint8Array }
  | { readonly remove: Uint8Array };

/** A record without its secrets. `number` says where it lies in the file, and is what a damaged one is named by. */
export type Row = { readonly number: number; readonly found: Uint8Array; readonly held: Uint8Array };
/** Names of consecutive records in one text, in hexadecimal digits, to compare many at once; `last` is the last of them. */
export type NamesPage = { readonly names: string | null; readonly last: Uint8Array | null };

/** The statement that reads such a page: behind a name, at most so many. */
export function namesIn(table: 'record' | 'host'): string {
  return `SELECT group_concat(hex(found), '' ORDER BY found) AS names, max(found) AS last
    FROM (SELECT found FROM ${table} WHERE found > ? ORDER BY found LIMIT ?)`;
}

/**
 * One SQLite file of sealed rows, open in this process alone. Nothing in here knows a key. What returns is durable
 * (synchronous=FULL), and what was replaced or removed is in neither file nor WAL (secure_delete, then a truncating
 * checkpoint). It throws `KeyholdError`s only; behind a failing disk it is read-only until it is opened anew, because
 * after a failed fsync nobody knows what is on the disk.
 */
export class Database {
  readonly #file: string;
  readonly #sqlite: DatabaseSync;
  readonly #statements: Record<
    | 'header'
    | 'names'
    | 'setHeader'
    | 'counts'
    | 'rows'
    | 'founds'
    | 'row'
    | 'has'
    | 'secrets'
    | 'put'
    | 'annotate'
    | 'remove'
    | 'wipe',
    StatementSync
  >;
  readonly #opened: OpenedFile;
  #readOnly = false;
  #wipePending = false;

  constructor(file: string, sqlite: DatabaseSync) {
    this.#file = file;
    this.#sqlite = sqlite;
    this.#statements = {
      header: sqlite.prepare('SELECT bytes FROM header WHERE slot = 1'),
      setHeader: sqlite.prepare('INSERT INTO header VALUES (1, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes'),
      counts: sqlite.prepare(
        `SELECT (SELECT count(*) FROM record NOT INDEXED) AS rows,
          (SELECT count(*) FROM record INDEXED BY record_found) AS founds`,
      ),
      rows: sqlite.prepare('SELECT number, found, held FROM record WHERE number > ? ORDER BY number LIMIT ?'),
      founds: sqlite.prepare('SELECT found FROM record WHERE found > ? ORDER BY found LIMIT ?'),
      names: sqlite.prepare(namesIn('record')),
      row: sqlite.prepare('SELECT number, found, held FROM record WHERE found = ?'),
      has: sqlite.prepare('SELECT 1 FROM record WHERE found = ?'),
      secrets: sqlite.prepare('SELECT secrets FROM record WHERE found = ?'),
      put: sqlite.prepare(
        `INSERT INTO record (found, held, secrets) VALUES (?, ?, ?)
          ON CONFLICT (found) DO UPDATE SET held = excluded.held, secrets = excluded.secrets`,
      ),
      annotate: sqlite.prepare('UPDATE record SET held = ? WHERE found = ?'),
      remove: sqlite.prepare('DELETE FROM record WHERE found = ?'),
      wipe: sqlite.prepare('PRAGMA wal_checkpoint(TRUNCATE)'),
    };
    // What a killed process had removed but not yet wiped.
    this.#wipe();
    this.#opened = new OpenedFile(file);
  }

  /** True while bytes that were removed could not be wiped off the disk; it is tried again at every change. */
  get wipePending(): boolean {
    return this.#wipePending;
  }

  /** What happened to the file while it was open, so that no change would be read again; undefined if nothing. */
  get trouble(): string | undefined {
    return this.#opened.trouble;
  }

  /** True behind a disk error. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  header(): Uint8Array | undefined {
    return this.#guard('open', () => this.#statements.header.get()?.bytes as Uint8Array | undefined);
  }

  setHeader(bytes: Uint8Array): void {
    this.#change('store the key in', () => this.#statements.setHeader.run(bytes));
    this.#wipe();
  }

  /**
   * How many records there are. Throws `vault_corrupt` where the index has more or fewer of them than the table: SQLite's own
   * check is made for small files only, and this one takes a millisecond for 100,000.
   */
  count(): number {
    const { rows, founds } = this.#guard('list', () => this.#statements.counts.get())!;
    if (rows !== founds) throw corrupt(this.#file);
    return Number(rows);
  }

  /** At most `limit` records behind the one with that number, in the order of their numbers; the first have a number over 0. */
  rowsAfter(number: number, limit: number): Row[] {
    return this.#guard('list', () => this.#statements.rows.all(number, limit) as unknown as Row[]);
  }

  /** At most `limit` names of records behind `found`, in their order; behind an empty one come the first. */
  foundsAfter(found: Uint8Array, limit: number): Uint8Array[] {
    return this.#guard('list', () => this.#statements.founds.all(found, limit).map((row) => row.found as Uint8Array));
  }

  /** The same as one page. */
  namesAfter(found: Uint8Array, limit: number): NamesPage {
    return this.#guard('list', () => this.#statements.names.get(found, limit)) as NamesPage;
  }

  row(found: Uint8Array): Row | undefined {
    return this.#guard('list', () => this.#statements.row.get(found) as Row | undefined);
  }

  secrets(found: Uint8Array): Uint8Array | undefined {
    return this.#guard('read', () => this.#statements.secrets.get(found)?.secrets as Uint8Array | undefined);
  }

  /** Replaces what describes a row. What it said before was no secret, and is wiped at the next occasion. */
  annotate(found: Uint8Array, held: Uint8Array): void {
    this.#change('store in', () => this.#statements.annotate.run(held, found));
  }

  /** Throws `backend_failed` or `backend_full` if it is gone but its sealed bytes could not be wiped off the disk. */
  remove(found: Uint8Array): void {
    const { changes } = this.#change('erase from', () => this.#statements.remove.run(found));
    if (Number(changes) === 0 && !this.#wipePending) return;
    const fault = this.#wipe();
    if (fault) throw fault;
  }

  /**
   * Makes changes in one transaction, in their order: all of them are durable when it returns, or none is. Bytes that could not
   * be wiped at once are wiped at the next change, as `wipePending` says.
   */
  apply(changes: readonly Change[]): void {
    const takesAway = (change: Change) =>
      'remove' in change || ('put' in change && this.#statements.has.get(change.put) !== undefined);
    const wipes = this.#guard('store in', () => changes.some(takesAway));
    this.#change('store in', () => {
      if (changes.length > 1) this.#sqlite.exec('BEGIN IMMEDIATE');
      for (const change of changes) {
        if ('put' in change) this.#statements.put.run(change.put, change.held, change.secrets);
        else if ('annotate' in change) this.#statements.annotate.run(change.held, change.annotate);
        else this.#statements.remove.run(change.remove);
      }
      if (changes.length > 1) this.#sqlite.exec('COMMIT');
    });
    // The new values are durable, so the change stands even if the old ones' bytes cannot be wiped at once.
    if (wipes || this.#wipePending) this.#wipe();
  }

  close(): void {
    if (!this.#sqlite.isOpen) return;
    if (!this.#readOnly) this.#wipe();
    this.#sqlite.close();
  }

  #change<T>(verb: string, change: () => T): T {
    if (this.#readOnly) {
      throw new KeyholdError(
        'backend_failed',
        `cannot ${verb} ${this.#file}: the disk failed and it is read-only since; mend the disk, then run: keyhold restart`,
      );
    }
    this.#refuseGone(verb);
    const result = this.#changeOnce(verb, change);
    // It may have happened meanwhile: what nothing will read is not acknowledged.
    this.#refuseGone(verb);
    return result;
  }

  #refuseGone(verb: string): void {
    const { trouble } = this;
    if (trouble === undefined) return;
    throw new KeyholdError(
      'backend_failed',
      `cannot ${verb} ${this.#file}: ${trouble} while the agent had it open; put the file back, then run: keyhold restart`,
    );
  }

  #changeOnce<T>(verb: string, change: () => T): T {
    try {
      return this.#guard(verb, change);
    } catch (error) {
      if (this.#readOnly) this.#coverRefused();
      // The WAL holds pages a second time: emptied into the file, it may leave the room that was missing.
      if ((error as KeyholdError).code !== 'backend_full' || this.#wipe()) throw error;
      return this.#guard(verb, change);
    }
  }

  #wipe(): KeyholdError | undefined {
    try {
      const busy = this.#guard('wipe erased bytes off', () => this.#statements.wipe.get())?.busy;
      this.#wipePending = busy !== 0;
      return undefined;
    } catch (error) {
      this.#wipePending = true;
      return error as KeyholdError;
    }
  }

  #guard<T>(verb: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const { fault, lasting } = storageFault(error, verb, this.#file);
      if (lasting) this.#readOnly = true;
      if (this.#sqlite.isOpen && this.#sqlite.isTransaction) this.#rollBack();
      throw fault;
    }
  }

  /**
   * Writes another transaction over the one that was refused. Its frames and commit mark may stand in the WAL although
   * the fsync failed, and whoever opens the file next would take them for acknowledged.
   */
  #coverRefused(): void {
    try {
      // Without fsync, which would fail again before the frames are written: only the file's next reader must see it.
      this.#sqlite.exec(`
        PRAGMA synchronous = OFF;
        BEGIN IMMEDIATE;
        INSERT INTO record (found, held, secrets) VALUES (zeroblob(1), zeroblob(1), zeroblob(1));
        DELETE FROM record WHERE found = zeroblob(1);
        COMMIT;
      `);
    } catch {
      if (this.#sqlite.isTransaction) this.#rollBack();
    } finally {
      this.#sqlite.exec('PRAGMA synchronous = FULL');
    }
  }

  #rollBack(): void {
    try {
      this.#sqlite.exec('ROLLBACK');
    } catch {
      this.#readOnly = true;
    }
  }
}
