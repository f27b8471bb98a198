import { closeSync, openSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { sizeOfOwnFile } from '../../../platform/durable.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import { connectExclusively, versionUntouched } from '../../sqlite.ts';
import { auditFault, damaged } from './audit-fault.ts';
import { AuditLog } from './log.ts';

/** The version of the tables below. */
const SCHEMA = 1;
/** 'KeyA': what file(1) and a wrong path are told by. */
const APPLICATION = 0x4b657941;

const TABLES = [
  'CREATE TABLE entry (number INTEGER PRIMARY KEY, line BLOB NOT NULL, hash BLOB NOT NULL) STRICT',
  'CREATE TABLE usage (credential TEXT NOT NULL, tool TEXT NOT NULL, program TEXT NOT NULL, project TEXT NOT NULL, minute INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (credential, tool, program, project, minute)) STRICT, WITHOUT ROWID',
  'CREATE TABLE total (credential TEXT NOT NULL, tool TEXT NOT NULL, program TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (credential, tool, program)) STRICT, WITHOUT ROWID',
];

/**
 * Opens the log in `file`, or creates it (0600). Throws `audit_newer` (its schema is unknown here; it is not touched),
 * `audit_damaged`, `audit_unwritable` or `unsafe_place`.
 */
export function openAuditLog(file: string): AuditLog {
  let sqlite: DatabaseSync | undefined;
  try {
    const size = sizeOfOwnFile(file);
    if (size === undefined) closeSync(openSync(file, 'wx', 0o600));
    else if (size > 0) refuseNewer(file, versionUntouched(file, APPLICATION));
    sqlite = connectExclusively(file);
    sqlite.exec('PRAGMA journal_mode = WAL');
    const pragma = (name: string) => Object.values(sqlite!.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    const tables = () => sqlite!.prepare('SELECT sql FROM sqlite_schema ORDER BY rowid').all();
    // Empty too where a process was killed while it created the tables.
    if (tables().length === 0 && pragma('user_version') === 0) create(sqlite);
    refuseNewer(file, Number(pragma('user_version')));
    const isOurs =
      // Exactly ours: a trigger that another program added would run with every entry.
      JSON.stringify(tables().map(({ sql }) => sql)) === JSON.stringify(TABLES) &&
      pragma('application_id') === APPLICATION &&
      pragma('user_version') === SCHEMA;
    if (!isOurs) throw damaged(file);
    return new AuditLog(file, sqlite);
  } catch (error) {
    sqlite?.close();
    throw auditFault(error, 'open', file);
  }
}

function create(sqlite: DatabaseSync): void {
  sqlite.exec(`
    BEGIN IMMEDIATE;
    ${TABLES.join(';')};
    PRAGMA application_id = ${APPLICATION};
    PRAGMA user_version = ${SCHEMA};
    COMMIT;
  `);
}

function refuseNewer(file: string, version: number): void {
  if (version <= SCHEMA) return;
  throw new KeyholdError(
    'audit_newer',
    `cannot open ${file}: its schema is ${version} and this keyhold knows ${SCHEMA}; install the newer keyhold`,
  );
}
