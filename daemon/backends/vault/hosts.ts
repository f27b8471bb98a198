import { closeSync, openSync, rmSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { sizeOfOwnFile } from '../../../platform/durable.ts';
import { connectExclusively } from '../../sqlite.ts';
import { type NamesPage, namesIn } from './database.ts';

/** 'KeyN', the application id of the file. */
const APPLICATION = 0x4b65794e;
const TABLES = [
  'CREATE TABLE host (found BLOB PRIMARY KEY NOT NULL, host BLOB NOT NULL) STRICT, WITHOUT ROWID',
  'CREATE INDEX host_of ON host (host)',
];

type Statements = Readonly<Record<'put' | 'remove' | 'of' | 'after' | 'names', StatementSync>>;

/** Which record belongs to which host: an HMAC of the protocol and host, and the name of the record in the vault. */
export type HostRow = { readonly host: Uint8Array; readonly found: Uint8Array };

/**
 * Which records of a vault belong to a host, so that these can be read before all others. It lies in a file of its own beside
 * the vault, because version 0.1 refuses a vault with a further column (docs/decisions has why). Everything in it can be drawn
 * from the vault again: it is not waited for until it is on the disk, and a file that is damaged is removed and made anew.
 * Nothing here throws; what fails makes the file forgotten, and `foundOf` answers undefined from then on.
 */
export class Hosts {
  readonly #file: string;
  #sqlite: DatabaseSync | undefined;
  #statements: Statements | undefined;
  #isBroken = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** Notes rows, those that stand there already too. */
  put(rows: readonly HostRow[]): void {
    this.#attempt(({ put }, sqlite) => {
      if (rows.length > 1) sqlite.exec('BEGIN IMMEDIATE');
      for (const { host, found } of rows) put.run(host, found);
      if (rows.length > 1) sqlite.exec('COMMIT');
    });
  }

  remove(found: Uint8Array): void {
    this.#attempt(({ remove }) => remove.run(found));
  }

  /** The names of a host's records; undefined where the file cannot be used. */
  foundOf(host: Uint8Array): Uint8Array[] | undefined {
    return this.#attempt(({ of }) => of.all(host).map((row) => row.found as Uint8Array));
  }

  /** At most `limit` names behind `found`, in their order; undefined where the file cannot be used. */
  foundsAfter(found: Uint8Array, limit: number): Uint8Array[] | undefined {
    return this.#attempt(({ after }) => after.all(found, limit).map((row) => row.found as Uint8Array));
  }

  /** The same as one page (database.ts). */
  namesAfter(found: Uint8Array, limit: number): NamesPage | undefined {
    return this.#attempt(({ names }) => names.get(found, limit) as NamesPage | undefined);
  }

  close(): void {
    try {
      this.#sqlite?.close();
    } catch {
      // It is drawn anew at the next opening.
    }
    this.#sqlite = undefined;
    this.#statements = undefined;
  }

  #attempt<T>(work: (statements: Statements, sqlite: DatabaseSync) => T): T | undefined {
    if (this.#isBroken) return undefined;
    try {
      const statements = this.#opened();
      return work(statements, this.#sqlite!);
    } catch {
      this.#isBroken = true;
      this.close();
      removeFile(this.#file);
      return undefined;
    }
  }

  #opened(): Statements {
    if (this.#statements) return this.#statements;
    let sqlite = this.#connect();
    if (!sqlite) {
      removeFile(this.#file);
      sqlite = this.#connect();
    }
    this.#sqlite = sqlite;
    if (!sqlite) throw new Error('the file cannot be made');
    this.#statements = {
      put: sqlite.prepare('INSERT OR REPLACE INTO host (host, found) VALUES (?, ?)'),
      remove: sqlite.prepare('DELETE FROM host WHERE found = ?'),
      of: sqlite.prepare('SELECT found FROM host WHERE host = ?'),
      after: sqlite.prepare('SELECT found FROM host WHERE found > ? ORDER BY found LIMIT ?'),
      names: sqlite.prepare(namesIn('host')),
    };
    return this.#statements;
  }

  /** Undefined for a file that is not ours or is damaged. */
  #connect(): DatabaseSync | undefined {
    let sqlite: DatabaseSync | undefined;
    try {
      if (sizeOfOwnFile(this.#file) === undefined) closeSync(openSync(this.#file, 'wx', 0o600));
      sqlite = connectExclusively(this.#file);
      const pragma = (name: string) => Object.values(sqlite!.prepare(`PRAGMA ${name}`).get() ?? {})[0];
      // Nothing waits for the disk while the file is made.
      sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL');
      const tables = sqlite
        .prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid')
        .all()
        .map(({ sql }) => sql);
      if (tables.length === 0)
        sqlite.exec(`BEGIN; ${TABLES.join(';')}; PRAGMA application_id = ${APPLICATION}; COMMIT`);
      else if (JSON.stringify(tables) !== JSON.stringify(TABLES) || pragma('application_id') !== APPLICATION) {
        throw new Error('the file has another form');
      }
      sqlite.exec('PRAGMA synchronous = NORMAL');
      return sqlite;
    } catch {
      try {
        sqlite?.close();
      } catch {}
      return undefined;
    }
  }
}

function removeFile(file: string): void {
  try {
    for (const suffix of ['', '-wal', '-journal']) rmSync(file + suffix, { force: true });
  } catch {
    // A folder or a file that is not ours stands there; then there is no such file to use.
  }
}
