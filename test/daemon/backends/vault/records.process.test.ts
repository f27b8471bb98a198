import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRecords } from '../../../../daemon/backends/vault/open-records.ts';
import type { Records } from '../../../../daemon/backends/vault/records.ts';
import { KeyholdError } from '../../../../protocol/errors.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld } from '../../../contracts/backend.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../temporary.ts';

describe('records', () => {
  let folder: TemporaryFolder;
  let file: string;
  let records: Records;
  const key = heapSecret(new Uint8Array(32).fill(7));
  const open = (path = file, withKey: Secret = key) => openRecords({ file: path, key: withKey, keep: heapSecret });
  const read = (username: string, from = records) => {
    const secret = from.get(aHeld({ username }))?.secret;
    return secret && Buffer.from(expose(secret)).toString();
  };

  beforeEach(() => {
    folder = temporaryFolder('records');
    file = join(folder.path, 'records.db');
    records = open();
  });
  afterEach(() => {
    records.close();
    folder.remove();
  });

  it('keep a note beside what is held', async () => {
    records.put(aHeld(), {}, 'written \u00e9');
    records.put(aHeld({ username: 'bob' }), {});
    expect((await records.all()).map(({ held, note }) => [held.username, note])).toContainEqual([
      'ada',
      'written \u00e9',
    ]);
    expect((await records.all()).map(({ held, note }) => [held.username, note])).toContainEqual(['bob', '']);
  });

  it('show neither host nor account nor secret in their file', () => {
    records.put(
      aHeld({ host: 'secret-host.example.com', username: 'ada-lovelace', path: 'some-path' }),
      {
        secret: secretFromText('token-EXAMPLE'),
        refreshToken: secretFromText('refresh-EXAMPLE'),
      },
      'a-note',
    );
    const written = everyByte(folder.path);
    for (const text of ['secret-host', 'ada-lovelace', 'some-path', 'EXAMPLE', 'a-note', 'https']) {
      expect(written.includes(text)).toBe(false);
    }
  });

  it('list what is held without opening a secret', async () => {
    records.put(aHeld(), { secret: secretFromText('a-EXAMPLE') });
    records.close();
    alter(file, 'UPDATE record SET secrets = zeroblob(40)');
    records = open();
    expect(await records.all()).toHaveLength(1);
    expect(() => records.get(aHeld())).toThrow(fault('vault_corrupt'));
  });

  it('notice a sealed value that was moved to another row or column, or brought back from another file', async () => {
    records.put(aHeld({ username: 'ada' }), { secret: secretFromText('a-EXAMPLE') });
    records.put(aHeld({ username: 'bob' }), { secret: secretFromText('b-EXAMPLE') });
    records.close();
    const original = readFileSync(file);
    const swaps = [
      'UPDATE record SET secrets = (SELECT secrets FROM record AS other WHERE other.found <> record.found)',
      'UPDATE record SET secrets = held',
    ];
    for (const swap of swaps) {
      writeFileSync(file, original);
      alter(file, swap);
      records = open();
      const found = ['ada', 'bob'].map((username) => codeOf(() => read(username)));
      expect(found).toContain('vault_corrupt');
      if (found[0] === 'no fault') expect(read('ada')).toBe('a-EXAMPLE');
      if (found[1] === 'no fault') expect(read('bob')).toBe('b-EXAMPLE');
      records.close();
    }
    writeFileSync(file, original);
    alter(file, 'UPDATE record SET held = (SELECT held FROM record AS other WHERE other.found <> record.found)');
    records = open();
    expect((await records.all()).map(({ held }) => held.username)).toEqual(['bob']);
    expect(records.damaged).toEqual([1]);
  });

  it('cost one record where one is damaged, and name it', async () => {
    for (const username of ['ada', 'bob', 'cy'])
      records.put(aHeld({ username }), { secret: secretFromText('x-EXAMPLE') });
    records.close();
    alter(file, "UPDATE record SET held = CAST('not ours' AS BLOB) WHERE number = 2");
    records = open();
    const names = async () => (await records.all()).map(({ held }) => held.username);
    expect(await names()).toEqual(['ada', 'cy']);
    expect(records.damaged).toEqual([2]);
    records.put(aHeld({ username: 'bob' }), { secret: secretFromText('anew-EXAMPLE') });
    expect(await names()).toEqual(['ada', 'bob', 'cy']);
    expect(records.damaged).toEqual([]);
  });

  it('list many in slices, and tell how far they are', async () => {
    const items = Array.from({ length: 200 }, (_, index) => ({
      held: aHeld({ username: `u${index}`, id: `${index}` }),
      secrets: { secret: secretFromText(`${index}-EXAMPLE`) },
    }));
    const seen: string[] = [];
    await records.putAll(items, (done, total) => seen.push(`${done} of ${total}`));
    expect(seen.at(-1)).toBe('200 of 200');
    expect(seen.length).toBeGreaterThan(2);
    seen.length = 0;
    expect((await records.all((done, total) => seen.push(`${done} of ${total}`))).length).toBe(200);
    expect(seen.at(-1)).toBe('200 of 200');
    expect(seen.length).toBeGreaterThan(2);
    expect(read('u17')).toBe('17-EXAMPLE');
  });

  it('refuse another key and leave the file as it is', () => {
    records.put(aHeld(), { secret: secretFromText('a-EXAMPLE') });
    records.close();
    const before = readFileSync(file);
    expect(() => open(file, heapSecret(new Uint8Array(32)))).toThrow(fault('vault_wrong_key'));
    expect(readFileSync(file).equals(before)).toBe(true);
    records = open();
    expect(read('ada')).toBe('a-EXAMPLE');
  });

  it('refuse a newer schema and touch nothing', () => {
    records.close();
    alter(file, 'PRAGMA user_version = 2');
    const [before, names, { mtimeNs }] = [readFileSync(file), readdirSync(folder.path), stat(file)];
    expect(() => open()).toThrow(fault('vault_newer'));
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder.path)).toEqual(names);
    expect(stat(file).mtimeNs).toBe(mtimeNs);
    alter(file, 'PRAGMA user_version = 1');
    records = open();
  });

  it('refuse an empty file, a cut one and one of another program, each in its own words', async () => {
    records.put(aHeld(), {});
    records.close();
    const whole = readFileSync(file);
    const foreign = join(folder.path, 'foreign.db');
    alter(foreign, 'CREATE TABLE header (x)');
    expect(codeOf(() => open(foreign))).toBe('unsafe_place');
    const cases = [
      [Buffer.alloc(0), 'vault_truncated'],
      [whole.subarray(0, 99), 'vault_truncated'],
      [whole.subarray(0, 4096), 'vault_truncated'],
      [whole.subarray(0, whole.length - 1), 'vault_truncated'],
      [Buffer.from('not a database, but long enough to be one'.repeat(20)), 'vault_corrupt'],
      [readFileSync(foreign), 'vault_corrupt'],
    ] as const;
    for (const [bytes, code] of cases) {
      writeFileSync(file, bytes);
      expect(codeOf(() => open())).toBe(code);
      expect(readFileSync(file).equals(bytes)).toBe(true);
    }
    writeFileSync(file, whole);
    records = open();
    expect(await records.all()).toHaveLength(1);
  });

  it('refuse to begin anew beside the WAL of a lost file', () => {
    records.close();
    const other = join(folder.path, 'other.db');
    writeFileSync(`${other}-wal`, 'frames', { mode: 0o600 });
    expect(() => open(other)).toThrow(fault('vault_truncated'));
    expect(existsSync(other)).toBe(false);
    records = open();
  });

  it('are open in one place only', () => {
    expect(() => open()).toThrow(fault('vault_in_use'));
    const program = `
      import { openRecords } from '${new URL('../../../../daemon/backends/vault/open-records.ts', import.meta.url)}';
      import { heapSecret } from '${new URL('../../../../protocol/secret.ts', import.meta.url)}';
      try {
        openRecords({ file: process.argv[1], key: heapSecret(new Uint8Array(32).fill(7)), keep: heapSecret });
        console.log('opened');
      } catch (error) {
        console.log(error.code);
      }`;
    const start = () =>
      spawnSync(process.execPath, ['--input-type=module', '-e', program, file], { encoding: 'utf8', timeout: 20_000 });
    expect(start().stdout).toBe('vault_in_use\n');
    records.close();
    expect(start().stdout).toBe('opened\n');
    records = open();
  });

  it('are in files of mode 0600 from the first to the last moment', () => {
    const before = process.umask(0);
    try {
      const modes = () =>
        readdirSync(folder.path).map((name) => (statSync(join(folder.path, name)).mode & 0o777).toString(8));
      records.close();
      const other = join(folder.path, 'other.db');
      records = open(other);
      for (let number = 0; number < 20; number++) {
        records.put(aHeld({ username: `u${number % 7}` }), { secret: secretFromText('a-EXAMPLE') });
        if (number % 3 === 0) records.remove(aHeld({ username: `u${number % 5}` }));
        expect(new Set(modes())).toEqual(new Set(['600']));
      }
      expect(readdirSync(folder.path).sort()).toEqual(['other.db', 'other.db-wal', 'records.db']);
    } finally {
      process.umask(before);
    }
  });

  it('refuse a file that others may open, and one behind a symlink', () => {
    records.close();
    const wide = join(folder.path, 'wide.db');
    copyFileSync(file, wide);
    writeFileSync(join(folder.path, 'link-target'), '');
    expect(spawnSync('chmod', ['0640', wide]).status).toBe(0);
    expect(() => open(wide)).toThrow(/its mode is 0640 and others may open it; run: chmod 600/);
    const link = join(folder.path, 'link.db');
    expect(spawnSync('ln', ['-s', file, link]).status).toBe(0);
    expect(() => open(link)).toThrow(/it is no regular file/);
    records = open();
  });

  for (const [what, change] of [
    ['removed', () => records.remove(aHeld())],
    ['replaced', () => records.put(aHeld(), { secret: secretFromText('new-EXAMPLE') })],
  ] as const) {
    it(`leave no byte of what was ${what}, neither in the file nor in its WAL`, () => {
      for (let number = 0; number < 40; number++) records.put(aHeld({ username: `u${number}` }), {});
      records.put(aHeld(), { secret: secretFromText('x'.repeat(9_000)) });
      const sealed = sealedSecrets(folder.path, file);
      expect(everyByte(folder.path).includes(sealed.subarray(0, 64))).toBe(true);
      change();
      const left = everyByte(folder.path);
      for (let at = 0; at + 32 <= sealed.length; at += 32) {
        expect(left.includes(sealed.subarray(at, at + 32))).toBe(false);
      }
    });
  }

  it('write as many bytes for a store among 10,000 as for one among 10', { timeout: 120_000 }, () => {
    const stores = 300; // enough for the WAL to move into the file more than once

    const cost = (from: number) => {
      records.close(); // empties the WAL, so that no checkpoint of earlier stores is counted
      records = open();
      const before = bytesWritten();
      for (let number = from; number < from + stores; number++) {
        records.put(aHeld({ host: `h${number}.example.com` }), { secret: secretFromText('token-EXAMPLE') });
      }
      return (bytesWritten() - before) / stores;
    };
    for (let number = 0; number < 10; number++) records.put(aHeld({ host: `h${number}.example.com` }), {});
    const few = cost(10);
    for (let number = 310; number < 10_000; number++) {
      records.put(aHeld({ host: `h${number}.example.com` }), { secret: secretFromText('token-EXAMPLE') });
    }
    const many = cost(10_000);
    console.log(`bytes written for a store: ${Math.round(few)} among 10, ${Math.round(many)} among 10,000`);
    expect(many).toBeLessThan(few * 1.5);
    expect(many).toBeLessThan(5 * 4_096);
  });
});

function fault(code: string) {
  return expect.objectContaining({ name: 'KeyholdError', code });
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'no fault';
  } catch (error) {
    return error instanceof KeyholdError ? error.code : String(error);
  }
}

function stat(file: string) {
  return statSync(file, { bigint: true });
}

function alter(file: string, sql: string): void {
  using sqlite = new DatabaseSync(file);
  sqlite.exec(sql);
}

function everyByte(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

/** The sealed secrets of the longest record, read from a copy so that no lock is touched. */
function sealedSecrets(folder: string, file: string): Buffer {
  const copy = temporaryFolder('copy');
  for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(copy.path, name));
  using sqlite = new DatabaseSync(join(copy.path, file.slice(folder.length + 1)));
  const row = sqlite.prepare('SELECT secrets FROM record ORDER BY length(secrets) DESC LIMIT 1').get()!;
  copy.remove();
  return Buffer.from(row.secrets as Uint8Array);
}

/** What this thread has handed to write(2) and its kin so far; a count, so it does not depend on the machine's speed. */
function bytesWritten(): number {
  return Number(/wchar: (\d+)/.exec(readFileSync(`/proc/self/task/${process.pid}/io`, 'utf8'))![1]);
}
