import { closeSync, linkSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { sizeOfOwnFile, syncFolder, temporaryBeside } from '../../../platform/durable.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import { connectExclusively, versionUntouched } from '../../sqlite.ts';
import { Database } from './database.ts';
import { SCHEMA } from './header.ts';
import { corrupt, storageFault, truncated } from './storage-fault.ts';

const SQLITE_HEADER = 100;
/** 'KeyH': what file(1) and a wrong path are told by. */
const APPLICATION = 0x4b657948;

// Rows lie in the order in which they came, and only the small index is in the random order of their HMACs: a new row
// touches the last page and one of the index, however many there are.
const TABLES = [
  [
    'table',
    'header',
    'header',
    'CREATE TABLE header (slot INTEGER PRIMARY KEY CHECK (slot = 1), bytes BLOB NOT NULL) STRICT',
  ],
  [
    'table',
    'record',
    'record',
    'CREATE TABLE record (number INTEGER PRIMARY KEY, found BLOB NOT NULL, held BLOB NOT NULL, secrets BLOB NOT NULL) STRICT',
  ],
  ['index', 'record_found', 'record', 'CREATE UNIQUE INDEX record_found ON record (found)'],
];

/** Bytes of a file that SQLite checks as a whole at opening, in some milliseconds. A larger one is checked while it is listed. */
const CHECKED_AT_OPENING = 2_097_152;

/**
 * Creates a file that does not exist yet, whole with its header or not at all, and opens it. It is built under another
 * name and linked to its own when it is durable. Throws `vault_in_use` if another process was faster.
 */
export function createDatabase(file: string, header: Uint8Array): Database {
  for (const leftover of [`${file}-wal`, `${file}-journal`]) {
    // SQLite would replay it into the new file.
    if ((sizeOfOwnFile(leftover) ?? 0) > 0) throw truncated(file);
  }
  const temporary = temporaryBeside(file);
  try {
    // SQLite gives its WAL the mode of the file, so this is the one place where a mode is set.
    closeSync(openSync(temporary, 'wx', 0o600));
    const sqlite = connectExclusively(temporary);
    try {
      sqlite.exec(`PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; ${TABLES.map(([, , , sql]) => sql).join(';')}`);
      sqlite.exec(`PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${SCHEMA}`);
      sqlite.prepare('INSERT INTO header VALUES (1, ?)').run(header);
      sqlite.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      sqlite.close();
    }
    linkSync(temporary, file);
    rmSync(temporary);
    syncFolder(dirname(file));
  } catch (error) {
    for (const suffix of ['', '-wal', '-journal']) rmSync(temporary + suffix, { force: true });
    throw storageFault(error, 'create', file).fault;
  }
  return openDatabase(file)!;
}

/**
 * Opens a file that exists; undefined if there is none. Throws `vault_truncated` (empty or cut), `vault_corrupt`,
 * `vault_newer` (its schema is unknown here; it is not touched), `vault_in_use` (another process has it),
 * `unsafe_place` (others may open it). A file that cannot be opened is left as it is.
 */
export function openDatabase(file: string): Database | undefined {
  const size = sizeOfOwnFile(file);
  if (size === undefined) return undefined;
  if (size < SQLITE_HEADER) throw truncated(file);
  refuseNewer(file);
  let sqlite: DatabaseSync | undefined;
  try {
    sqlite = connectExclusively(file);
    // What a store replaces and an erase removes is overwritten, in the file as in the WAL.
    sqlite.exec('PRAGMA secure_delete = ON');
    sqlite.exec('BEGIN IMMEDIATE; COMMIT');
    const pragma = (name: string) => Object.values(sqlite!.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    const tables = sqlite.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid').all();
    const sound =
      // Exactly ours: a trigger that another program added would run with every store.
      JSON.stringify(tables.map((row) => Object.values(row))) === JSON.stringify(TABLES) &&
      pragma('journal_mode') === 'wal' &&
      pragma('application_id') === APPLICATION &&
      pragma('user_version') === SCHEMA &&
      (size > CHECKED_AT_OPENING || pragma('integrity_check(1)') === 'ok');
    if (!sound) throw corrupt(file);
    const database = new Database(file, sqlite);
    // SQLite reads a last page that is cut as if it ended in zeroes. With an empty WAL, all pages are in the file.
    const whole = Number(pragma('page_count')) * Number(pragma('page_size'));
    if (!database.wipePending && statSync(file).size < whole) throw truncated(file);
    return database;
  } catch (error) {
    sqlite?.close();
    const fault = storageFault(error, 'open', file).fault;
    throw fault.code === 'vault_corrupt' && isCut(file) ? truncated(file) : fault;
  }
}

/** Refuses what a newer keyhold wrote, and leaves it alone. */
function refuseNewer(file: string): void {
  const version = versionUntouched(file, APPLICATION);
  if (version <= SCHEMA) return;
  throw new KeyholdError(
    'vault_newer',
    `cannot open ${file}: its schema is ${version} and this keyhold knows ${SCHEMA}; install the newer keyhold`,
  );
}

/**
 * Whether pages are missing at the end. It reads the file by itself, which is safe only where no connection of this
 * process holds a lock on it: closing the descriptor would drop the lock (fcntl(2)).
 */
function isCut(file: string): boolean {
  const head = Buffer.alloc(SQLITE_HEADER);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, head, 0, SQLITE_HEADER, 0);
  } finally {
    closeSync(descriptor);
  }
  if (head.toString('latin1', 0, 15) !== 'SQLite format 3') return false;
  const pageSize = head.readUInt16BE(16) === 1 ? 65_536 : head.readUInt16BE(16);
  return statSync(file).size < pageSize * head.readUInt32BE(28);
}
