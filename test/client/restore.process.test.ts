import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isContinued } from '../../protocol/record-lines.ts';
import { exchange, get, store } from '../fakes/built-agent.ts';
import { openComposed } from '../fakes/composed-agent.ts';
import { keyholdHere } from './in-process.ts';
import { emptyHome } from './keyhold.ts';

const PASSPHRASE = 'phrase-EXAMPLE';
/** The longest secret that may be stored. */
const LONGEST = 65_000;

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
let file: string;
beforeEach(async () => {
  agent = await openComposed(undefined, { backend: 'vault' });
  home = emptyHome();
  file = join(home, 'backup');
});
afterEach(async () => {
  await agent.dispose();
  rmSync(home, { recursive: true, force: true });
});

const keyhold = (words: readonly string[], input?: string, socket = agent.socket) =>
  keyholdHere(words, { home, input, environment: { KEYHOLD_SOCKET: socket } });
const backUp = () => keyhold(['backup', file, '--yes', '--stdin'], PASSPHRASE);
const restore = (...more: string[]) => keyhold(['restore', file, '--stdin', ...more], PASSPHRASE);
const ask = (...lines: string[]) => exchange(agent.socket, lines);
const passwordOf = async (host: string) => /^password=(.*)$/m.exec(await ask(...get(host)))?.[1];
const erased = async () => JSON.parse((await keyhold(['token', 'list', '--erased', '--json'])).stdout).items;

describe('restore, where another value is held', () => {
  test('keeps the newer one that is here, also with --no-input, and says which', async () => {
    for (const host of ['a.test', 'b.test']) await ask(...store(host, `${host}-old-EXAMPLE`));
    await backUp();
    agent.clock.advance(60);
    await ask(...store('a.test', 'a-newer-EXAMPLE'));
    for (const more of [[], ['--no-input']]) {
      const { code, stdout } = await restore(...more);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: 'Restored 1 of 2 records.\nKept the newer one that is here: ada for https://a.test.\n',
      });
    }
    expect(await passwordOf('a.test')).toBe('a-newer-EXAMPLE');
    const { differs } = JSON.parse((await restore('--json')).stdout);
    expect(differs).toMatchObject([{ host: 'a.test', outcome: 'kept', heldAt: differs[0].storedAt + 60 }]);
    expect(await erased()).toEqual([]);
  });

  test('takes the older one with --older; what it replaces lies in the restore bin', async () => {
    await ask(...store('a.test', 'old-EXAMPLE'));
    await backUp();
    agent.clock.advance(60);
    await ask(...store('a.test', 'newer-EXAMPLE'));
    expect((await restore('--older')).stdout).toContain('Replaced here: ada for https://a.test.\n');
    expect(await passwordOf('a.test')).toBe('old-EXAMPLE');
    await keyhold(['token', 'restore', '--for', 'https://a.test', '--yes']);
    expect(await passwordOf('a.test')).toBe('newer-EXAMPLE');
  });

  test('takes the newer one of the backup, and the older one lies in the restore bin', async () => {
    const later = await openComposed(undefined, { backend: 'vault' });
    try {
      later.clock.advance(3_600);
      await exchange(later.socket, store('a.test', 'later-EXAMPLE'));
      await keyhold(['backup', file, '--stdin'], PASSPHRASE, later.socket);
    } finally {
      await later.dispose();
    }
    await ask(...store('a.test', 'sooner-EXAMPLE'));
    expect((await restore('--no-input')).stdout).toContain('Replaced here: ada for https://a.test.\n');
    expect(await passwordOf('a.test')).toBe('later-EXAMPLE');
    expect(await erased()).toMatchObject([{ host: 'a.test' }]);
  });

  test('leaves out what has been revoked since', async () => {
    await ask(...store('a.test', 'dead-EXAMPLE'));
    await backUp();
    await keyhold(['token', 'remove', '--for', 'https://a.test', '--revoked', '--yes']);
    expect((await restore()).stdout).toBe(
      'Restored 0 of 1 record.\nLeft out, because it was revoked: ada for https://a.test.\n',
    );
    expect(await passwordOf('a.test')).toBeUndefined();
  });

  test('writes nothing where all is the same', async () => {
    await ask(...store('a.test', 'one-EXAMPLE'));
    await backUp();
    expect(JSON.parse((await restore('--json')).stdout)).toMatchObject({ restored: 1, differs: [] });
    expect(await erased()).toEqual([]);
  });
});

describe('restore of what is no file', () => {
  test.each([
    ['a FIFO', (path: string) => void execFileSync('mkfifo', [path]), 2, 'it is no regular file'],
    [
      'a device without an end',
      (path: string) => void execFileSync('ln', ['-s', '/dev/zero', path]),
      2,
      'it is no regular file',
    ],
    [
      'a device without bytes',
      (path: string) => void execFileSync('ln', ['-s', '/dev/null', path]),
      2,
      'it is no regular file',
    ],
    ['a folder', (path: string) => void mkdirSync(path), 1, 'it is a folder'],
    ['nothing', () => {}, 1, 'there is no such file or folder'],
    [
      'a file beyond the bound',
      (path: string) => {
        writeFileSync(path, '');
        truncateSync(path, 256 * 1_048_576 + 1);
      },
      2,
      'it is larger than 268435456 bytes',
    ],
  ])('%s is refused before the passphrase is asked for', { timeout: 20_000 }, async (_, make, code, why) => {
    make(file);
    const ended = await keyhold(['restore', file]);
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: expect.stringContaining(why) });
  });
});

describe('what may be stored may be backed up, restored, carried, shown and brought back', () => {
  const values = new Map(
    [LONGEST, LONGEST - 1, 49_000, 48_999].map((length) => [`l${length}.test`, 'x'.repeat(length)]),
  );

  test('secrets and refresh tokens at the limit and one below it', { timeout: 60_000 }, async () => {
    for (const [host, value] of values) await ask(...store(host, value), `oauth_refresh_token=${value}`);
    const all = async () => {
      for (const [host, value] of values) {
        expect((await ask(...get(host))).split('\n')).toEqual(
          expect.arrayContaining([`password=${value}`, `oauth_refresh_token=${value}`]),
        );
        expect((await keyhold(['token', 'print', '--for', `https://${host}`])).stdout).toBe(`${value}\n`);
      }
    };
    await all();
    const listed = JSON.parse((await keyhold(['token', 'list', '--json'])).stdout).items;
    expect(listed).toHaveLength(values.size);

    const { stdout } = await backUp();
    expect(stdout).toContain(`Wrote ${values.size + 1} sealed records`);
    for (const host of values.keys()) {
      await ask('action=erase', 'protocol=https', `host=${host}`);
      await keyhold(['token', 'restore', '--for', `https://${host}`]);
    }
    await all();
    for (const host of values.keys()) await keyhold(['token', 'remove', '--for', `https://${host}`, '--yes']);
    expect((await restore()).stdout).toBe(`Restored ${values.size} of ${values.size} records.\n`);
    await all();

    for (const backend of ['memory', 'vault']) {
      expect((await keyhold(['backend', 'migrate', backend, '--yes'])).code).toBe(0);
      await all();
    }
  });

  test('one byte more is refused when it is stored', async () => {
    const answer = await ask(...store('a.test', 'x'.repeat(LONGEST + 1)), 'capability[]=keyhold');
    expect(answer).toMatch(/^status=bad-request\n.*longer than 65000 bytes/);
  });

  test('a path that is nearly as long as a line is listed, explained, erased and restored', async () => {
    const path = `path=${'p'.repeat(65_000)}`;
    await ask(...store('a.test', 'one-EXAMPLE'), path);
    await ask(...store('b.test', 'two-EXAMPLE'));
    const listed = await ask('action=list', 'capability[]=keyhold');
    expect(listed.match(/^item\[\]=/gm)).toHaveLength(2);
    expect((await keyhold(['token', 'list', '--json'])).code).toBe(0);
    const explained = await ask('action=explain', 'capability[]=keyhold', 'protocol=https', 'host=a.test');
    expect(explained.match(/^candidate\[\]=/gm)).toHaveLength(1);
    await backUp();
    await ask('action=erase', 'protocol=https', 'host=a.test');
    expect((await ask('action=list', 'erased=1', 'capability[]=keyhold')).match(/^item\[\]=/gm)).toHaveLength(1);
    expect((await restore()).code).toBe(0);
    expect(await ask(...get('a.test'), path)).toContain('one-EXAMPLE');
  });

  test('a backup whose last record is cut in the middle of its lines is refused whole', async () => {
    await ask(...store('a.test', values.get(`l${LONGEST}.test`)!));
    await backUp();
    const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
    const cut = lines.findLastIndex((line) => isContinued(line));
    writeFileSync(file, `${lines.slice(0, cut + 1).join('\n')}\n`);
    const { code, stderr } = await restore();
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('cannot restore') });
  });
});
