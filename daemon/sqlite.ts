import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** Pages in the WAL before they move into the file: on a full disk, so much room is enough to erase and wipe. */
const WAL_PAGES = 256;

/**
 * Opens an SQLite file for this process alone: what a statement returned from is durable (synchronous=FULL), and nothing
 * that stands in the file can run code. Throws what SQLite throws; nothing is left open then.
 */
export function connectExclusively(file: string): DatabaseSync {
  const sqlite = new DatabaseSync(file, {
    timeout: 0,
    allowExtension: false,
    defensive: true,
    enableDoubleQuotedStringLiterals: false,
  });
  try {
    // Exclusive before the first access: then SQLite keeps the WAL's index in memory and needs no -shm file.
    sqlite.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${WAL_PAGES};
      PRAGMA temp_store = MEMORY;
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
    `);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/**
 * The version of the schema in `file`, looked at without a lock, a WAL or any write; 0 if the file is not the
 * `application`'s or cannot be read, which the real opening tells better.
 */
export function versionUntouched(file: string, application: number): number {
  // `immutable` makes SQLite leave everything alone.
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  try {
    using sqlite = new DatabaseSync(url, { readOnly: true });
    if (sqlite.prepare('PRAGMA application_id').get()?.application_id !== application) return 0;
    return Number(sqlite.prepare('PRAGMA user_version').get()?.user_version);
  } catch {
    return 0;
  }
}
