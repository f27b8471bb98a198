// node lax-writer.ts FOLDER SEED: what writer.ts does, in a file that is never synced. It shows that the cuts of
// power-cuts.test.ts would be noticed.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { changes } from './play.ts';

const [folder, seed] = process.argv.slice(2) as [string, string];
const sqlite = new DatabaseSync(join(folder, 'lax.db'));
sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
sqlite.exec('CREATE TABLE IF NOT EXISTS record (target INTEGER PRIMARY KEY, value TEXT NOT NULL)');
writeSync(1, 'ready\n');
for (const { target, value } of changes(Number(seed))) {
  writeSync(1, `begin ${target} ${value ?? '-'}\n`);
  if (value === undefined) sqlite.prepare('DELETE FROM record WHERE target = ?').run(target);
  else sqlite.prepare('INSERT OR REPLACE INTO record VALUES (?, ?)').run(target, value);
  writeSync(1, `done ${process.hrtime.bigint()}\n`);
}
