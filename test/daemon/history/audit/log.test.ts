import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuditEntry } from '../../../../daemon/history/audit/entry.ts';
import { verifyChain } from '../../../../daemon/history/audit/entry.ts';
import type { Count } from '../../../../daemon/history/audit/log.ts';
import { openAuditLog } from '../../../../daemon/history/audit/open-log.ts';
import { temporaryFolder } from '../../../temporary.ts';

const DAY = 86_400;
const anEntry = (at: number): AuditEntry => ({ at, action: 'store', outcome: 'ok', credential: `id-${at}` });
const aCount = (credential: string, at: number, count = 1): Count => ({
  credential,
  tool: 'git',
  program: '/usr/bin/git',
  project: '/src',
  minute: Math.floor(at / 60),
  first: at,
  last: at,
  count,
});

function aFile(): string {
  const { path, remove } = temporaryFolder('audit');
  onTestFinished(remove);
  return join(path, 'audit.db');
}

/** A closed log of so many entries, a day apart. */
function aLog(entries: number): string {
  const file = aFile();
  const log = openAuditLog(file);
  for (let at = 1; at <= entries; at++) log.write([anEntry(at * DAY)], [aCount('a', at * DAY)]);
  log.close();
  return file;
}

function change(file: string, ...statements: string[]): void {
  using sqlite = new DatabaseSync(file);
  for (const statement of statements) sqlite.exec(statement);
}

describe('the audit log', () => {
  test('is its owner’s alone from its first moment, and so is its WAL', () => {
    const file = aFile();
    const log = openAuditLog(file);
    onTestFinished(() => log.close());
    log.write([anEntry(1)], []);
    for (const one of [file, `${file}-wal`]) expect(statSync(one).mode & 0o777).toBe(0o600);
  });

  test('goes on where it ended', () => {
    const file = aLog(3);
    const log = openAuditLog(file);
    expect(log.head.number).toBe(3);
    log.write([anEntry(4), anEntry(5)], []);
    expect(verifyChain(log.after(0, 100), { end: log.head })).toMatchObject({ sound: true, entries: 5 });
    log.close();
  });

  test('adds counts of the same minute up, and keeps first and last use', () => {
    const log = openAuditLog(aFile());
    log.write([], [aCount('a', 120, 2), aCount('b', 120)]);
    // The wall clock may go back; first and last use do not.
    log.write([], [aCount('a', 130, 3), aCount('a', 240), aCount('a', 125, 0)]);
    expect(log.usageOf('a').map(({ minute, count }) => [minute, count])).toEqual([
      [2, 5],
      [4, 1],
    ]);
    expect(log.totals().find(({ credential }) => credential === 'a')).toMatchObject({
      first: 120,
      last: 240,
      count: 6,
    });
    log.close();
  });

  test('prunes what is older, chains that it did, and stays sound, again and again', () => {
    const log = openAuditLog(aLog(10));
    const exported = log.head;
    expect(log.prune(11 * DAY, 4 * DAY, [])).toBe(3);
    expect(log.prune(11 * DAY, 4 * DAY, [])).toBe(0);
    expect(log.after(0, 100).map(({ number }) => number)).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(verifyChain(log.after(0, 100), { end: log.head, against: exported })).toMatchObject({
      sound: true,
      first: 4,
    });
    expect(log.prune(20 * DAY, 19 * DAY, ['a'])).toBe(8);
    expect(verifyChain(log.after(0, 100), { end: log.head })).toMatchObject({ sound: true, entries: 1, first: 12 });
    expect(log.usageOf('a')).toEqual([]);
    expect(log.totals()).toEqual([]);
    log.close();
  });

  test('knows how old an entry is for certain: a day at most for the time between two, more where it was witnessed', () => {
    const log = openAuditLog(aLog(10));
    const now = 1_000 * DAY;
    expect(log.horizon(now, 4 * DAY, new Map())).toMatchObject({ number: 7 });
    expect(log.horizon(now, 90 * DAY, new Map())).toBeUndefined();
    expect(log.horizon(now, 90 * DAY, new Map([[10, 100 * DAY]]))).toMatchObject({ number: 10 });
    log.close();
  });

  test('is shortened where it is too long, whatever the dates say, and stays sound', () => {
    const log = openAuditLog(aLog(10));
    log.shorten(0, 4);
    expect(log.length).toBe(7);
    expect(verifyChain(log.after(0, 100), { end: log.head })).toMatchObject({ sound: true, first: 5 });
    log.close();
  });

  test('keeps the totals of what is held, however old', () => {
    const log = openAuditLog(aLog(3));
    log.prune(200 * DAY, 110 * DAY, []);
    expect(log.totals()).toHaveLength(1);
    log.close();
  });

  test('of a newer version is refused, and not one byte of it is touched', () => {
    const file = aLog(3);
    change(file, 'PRAGMA user_version = 2', 'PRAGMA wal_checkpoint(TRUNCATE)');
    const before = readFileSync(file);
    expect(() => openAuditLog(file)).toThrow(expect.objectContaining({ code: 'audit_newer' }));
    expect(readFileSync(file)).toEqual(before);
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  test.each([
    ['text', (file: string) => writeFileSync(file, 'this is no database, and it is longer than a header of SQLite')],
    ['a cut file', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 5_000))],
    ['other tables', (file: string) => change(file, 'CREATE TABLE more (x)')],
    [
      'a trigger',
      (file: string) => change(file, 'CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END'),
    ],
  ])('that holds %s is told as damaged, and stays as it is', (_, damage) => {
    const file = aLog(3);
    damage(file);
    const before = readFileSync(file);
    expect(() => openAuditLog(file)).toThrow(expect.objectContaining({ code: 'audit_damaged' }));
    expect(readFileSync(file)).toEqual(before);
  });

  test('that was killed while it was created is created again', () => {
    const file = aFile();
    writeFileSync(file, '', { mode: 0o600 });
    const log = openAuditLog(file);
    log.write([anEntry(1)], []);
    expect(log.head.number).toBe(1);
    log.close();
  });

  test('that others may open is refused', () => {
    const file = aFile();
    writeFileSync(file, '', { mode: 0o644 });
    expect(() => openAuditLog(file)).toThrow(expect.objectContaining({ code: 'unsafe_place' }));
  });
});

describe('a log that somebody changed', () => {
  /** As `keyhold audit verify` finds it; whatever cannot be read is found too. */
  const isSound = (file: string, against?: ReturnType<typeof openAuditLog>['head']) => {
    try {
      const log = openAuditLog(file);
      try {
        return log.inspect() === undefined && verifyChain(log.after(0, 10_000), { end: log.head, against }).sound;
      } finally {
        log.close();
      }
    } catch {
      return false;
    }
  };
  const headOf = (file: string) => {
    const log = openAuditLog(file);
    log.close();
    return log.head;
  };

  test('by SQL is found, 300 times', () => {
    const original = aLog(60);
    const against = headOf(original);
    const file = aFile();
    for (let round = 0; round < 300; round++) {
      copyFileSync(original, file);
      const number = (round % 60) + 1;
      const other = ((number + 6) % 60) + 1;
      const bit = (at: number) =>
        `substr(X, 1, ${at}) || char(unicode(substr(X, ${at + 1}, 1)) + 1) || substr(X, ${at + 2})`;
      const kinds = [
        [
          `UPDATE entry SET line = CAST(${bit(3 + (round % 40)).replaceAll('X', 'CAST(line AS TEXT)')} AS BLOB) WHERE number = ${number}`,
        ],
        [`UPDATE entry SET hash = zeroblob(32) WHERE number = ${number}`],
        [`DELETE FROM entry WHERE number = ${number}`],
        [`DELETE FROM entry WHERE number >= ${number}`],
        [
          `UPDATE entry SET number = -1 WHERE number = ${number}`,
          `UPDATE entry SET number = ${number} WHERE number = ${other}`,
          `UPDATE entry SET number = ${other} WHERE number = -1`,
        ],
      ];
      change(file, ...kinds[round % kinds.length]!);
      expect(isSound(file, against), `round ${round}`).toBe(false);
    }
  });

  test('by one flipped bit of the file, 400 times, is found, or reads as it was written', () => {
    const original = aLog(60);
    const against = headOf(original);
    const log = openAuditLog(original);
    const written = log.after(0, 100);
    log.close();
    const bytes = readFileSync(original);
    const file = aFile();
    let found = 0;
    for (let round = 0; round < 400; round++) {
      const changed = Buffer.from(bytes);
      // A stride that meets every page, header and free space too.
      const at = (round * 7_919) % bytes.length;
      changed[at]! ^= 1 << (round % 8);
      writeFileSync(file, changed, { mode: 0o600 });
      if (!isSound(file, against)) {
        found++;
        continue;
      }
      const again = openAuditLog(file);
      expect(again.after(0, 100), `byte ${at}`).toEqual(written);
      again.close();
    }
    expect(found).toBeGreaterThan(50);
  });

  test('by one flipped bit in every byte of an entry, is found', () => {
    const original = aLog(5);
    const against = headOf(original);
    const bytes = readFileSync(original);
    const start = bytes.indexOf('"credential":"id-259200"') - 40;
    expect(start).toBeGreaterThan(0);
    const file = aFile();
    for (let at = start; at < start + 60; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(file, changed, { mode: 0o600 });
      expect(isSound(file, against), `byte ${at}`).toBe(false);
    }
  });
});
