import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BackupFile } from '../../../client/cli/backup-file.ts';
import { temporaryFolder } from '../../temporary.ts';

/** A file with a header that says `count`, and these lines. */
function aFile(count: unknown, lines: readonly string[], end = '\n'): string {
  return written([JSON.stringify({ keyhold: 'backup', count }), ...lines].join('\n') + end);
}

function written(text: string): string {
  const folder = temporaryFolder('backup-file');
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'backup');
  writeFileSync(file, text);
  return file;
}

test('a backup of many pieces is read line by line, as often as it is asked for', () => {
  const lines = Array.from({ length: 5_000 }, (_, at) => `${at}${'x'.repeat(at % 900)}${at % 10 === 0 ? '\\' : ''}`);
  using backup = new BackupFile(aFile(4_500, lines));
  expect([JSON.parse(backup.header).count, backup.records, backup.length]).toEqual([4_500, 4_500, 5_000]);
  for (let times = 0; times < 2; times++) expect([...backup.lines()]).toEqual(lines);
});

test.each([
  ['its end is missing', () => aFile(2, ['one', 'two'], '')],
  ['its end is missing', () => aFile(2, ['one'], '\n\\')],
  ['it has no header', () => written('\none\n')],
  ['it has no proper header', () => aFile('2', ['one', 'two'])],
  ['1 of its records are missing', () => aFile(3, ['one', 'two'])],
  ['1 of its records are too many', () => aFile(1, ['one', 'two'])],
  ['it has a line that is none of a backup', () => aFile(2, ['one', '', 'two'])],
  ['it has a line that is none of a backup', () => aFile(2, ['one', 'x'.repeat(70_000)])],
  ['it has a line that is none of a backup', () => aFile(2, ['one', 'two', 'three\\'])],
  ['it has a line that is none of a backup', () => aFile(1, ['x'.repeat(3_000_000)])],
])('a file is refused: %s', (why, make) => {
  const file = make();
  expect(() => new BackupFile(file)).toThrow(`cannot restore ${file}: ${why}`);
});

test('a file that has changed since it was looked at is read no further than a backup goes', () => {
  const file = aFile(1, ['one']);
  using backup = new BackupFile(file);
  appendFileSync(file, 'x'.repeat(70_000));
  expect(() => [...backup.lines()]).toThrow('it has a line that is none of a backup');
});
