import { describe, expect, test } from 'vitest';
import { secretFromText } from '../../protocol/secret.ts';
import { ok, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const FOR = ['--for', 'https://git.example/team/app'];
const items = [
  {
    id: '1',
    protocol: 'https',
    host: 'git.example',
    path: 'team/app',
    username: 'ada',
    storedAt: 1767225600,
    lastUsed: 1767312000,
    uses: 1234,
  },
  {
    id: '2',
    protocol: 'https',
    host: 'git.example',
    username: 'bob\u202e',
    storedAt: 1767225600,
    expiresAt: 1893456000,
  },
  { id: '3', protocol: 'https', host: `${'long-'.repeat(30)}example`, storedAt: 1767225600 },
];
const list = ok(items.map((item) => ['item[]', item] as const));

describe('keyhold token set', () => {
  test('stores what stands on standard input, without the newline at its end, and confirms it', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    const { code, stdout, stderr } = await keyhold(['token', 'set', ...FOR, '--username', 'ada'], {
      ...agent,
      input: 'token-EXAMPLE\n',
    });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'Stored a token for https://git.example/team/app, username ada.\n',
      stderr: '',
    });
    expect(agent.asked.slice(1)).toEqual([
      {
        action: 'store',
        attributes: {
          protocol: 'https',
          host: 'git.example',
          made: 'set',
          if_stored_at: '0',
          path: 'team/app',
          username: 'ada',
          password: 'token-EXAMPLE',
        },
      },
    ]);
  });

  test('takes the token from a file descriptor, and answers in JSON', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    const { code, stdout } = await keyhold(
      ['token', 'set', '--for', 'https://ada@git.example', '--fd', '3', '--json'],
      {
        ...agent,
        third: 'token-EXAMPLE',
      },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      stored: { protocol: 'https', host: 'git.example', username: 'ada' },
      updated: false,
    });
    expect(agent.asked.at(-1)!.attributes['password']).toBe('token-EXAMPLE');
  });

  test('says so when a file descriptor was not given', async () => {
    const { code, stdout, stderr } = await keyhold(['token', 'set', ...FOR, '--fd', '4711'], { home: emptyHome() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('nothing was given as file descriptor 4711\n');
  });

  test.each([
    ['a CR', 'token-EXAMPLE\r\n', 'it holds a control byte (byte 14)'],
    ['a NUL', 'token\0EXAMPLE', 'it holds a control byte (byte 6)'],
    ['an escape', '\u001b[200~token-EXAMPLE', 'it holds a control byte (byte 1)'],
    ['a second line', 'token-EXAMPLE\nmore', 'it holds a control byte (a second line)'],
    ['65,001 bytes', 'x'.repeat(65_001), 'it is longer than 65000 bytes'],
    ['10 MiB', Buffer.alloc(10 * 1_048_576, 'x'), 'it is longer than 65000 bytes'],
  ])('refuses a token with %s, stores nothing and does not repeat it', async (_, input, rule) => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    const { code, stdout, stderr } = await keyhold(['token', 'set', ...FOR, '--stdin'], { ...agent, input });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`keyhold: cannot take the token for https://git.example/team/app: ${rule}\n`);
    expect(agent.asked).toEqual([]);
  });

  test('takes the longest token that the wire can carry', async () => {
    await using agent = await startScriptedAgent({ list: ok(), store: ok() });
    const { code } = await keyhold(['token', 'set', ...FOR], { ...agent, input: `${'x'.repeat(65_000)}\n` });
    expect(code).toBe(0);
    expect(agent.asked.at(-1)!.attributes['password']).toHaveLength(65_000);
  });

  test('refuses an empty token', async () => {
    const { code, stderr } = await keyhold(['token', 'set', ...FOR, '--stdin'], { home: emptyHome(), input: '\n' });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'keyhold: cannot take the token for https://git.example/team/app: it is empty\n',
    });
  });

  test.each([[[]], [['--no-input']]])(
    'with nobody to ask and nothing on standard input ends with 6 (%j)',
    async (options) => {
      const { code, stderr } = await keyhold(['token', 'set', ...FOR, ...options], { home: emptyHome() });
      expect(code).toBe(6);
      expect(stderr).toContain('no person is there; give it on standard input or by --fd N');
    },
  );

  test('tells a locked agent by exit code 3 and passes its message on', async () => {
    const message = 'the credentials are locked – run: keyhold unlock';
    await using agent = await startScriptedAgent({ list: { status: 'locked', message } });
    const { code, stderr } = await keyhold(['token', 'set', ...FOR], { ...agent, input: 'token-EXAMPLE' });
    expect({ code, stderr }).toEqual({ code: 3, stderr: `keyhold: ${message}\n` });
  });

  test('has no option that takes a token as an argument', async () => {
    const { code, stderr } = await keyhold(['token', 'set', ...FOR, 'token-EXAMPLE'], { home: emptyHome() });
    expect(code).toBe(2);
    expect(stderr).toContain('too many arguments');
    expect(stderr).not.toContain('token-EXAMPLE');
  });

  test('needs to know what the token is for, and says what it looked for (P11)', async () => {
    const { code, stderr } = await keyhold(['token', 'set'], { home: emptyHome() });
    expect(code).toBe(2);
    expect(stderr).toContain('name it by --for URL or --service NAME; looked here and above for');
    expect(stderr).toContain('.pogo.db');
  });
});

describe('keyhold token list', () => {
  test('shows a table of at most 80 columns, sorted, without steering the terminal', async () => {
    await using agent = await startScriptedAgent({ list });
    const { code, stdout } = await keyhold(['token', 'list'], { ...agent, environment: { COLUMNS: '80' } });
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^FOR +USERNAME +SINCE +EXPIRES +LAST USED +USES$/);
    expect(lines[1]).toMatch(/^https:\/\/git\.example +bob\\u\{202e\} +2026-01-01 +2030-01-01$/);
    expect(lines[2]).toMatch(/^https:\/\/git\.example\/team… +ada +2026-01-01 +2026-01-02 +1234$/);
    expect(lines[3]).toMatch(/^https:\/\/long-long-.*… +2026-01-01$/);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
  });

  test('cuts nothing in a pipe, and is readable in a terminal of 40 columns', async () => {
    await using agent = await startScriptedAgent({ list });
    const { stdout } = await keyhold(['token', 'list'], agent);
    expect(stdout).not.toContain('…');
    expect(stdout).toMatch(/^https:\/\/git\.example\/team\/app +ada /m);
    const narrow = await keyhold(['token', 'list'], { ...agent, environment: { COLUMNS: '40' } });
    expect(narrow.stdout).toMatch(/^FOR {8}https:\/\/git\.example\/team\/app\nUSERNAME {3}ada\n/m);
  });

  test('prints everything in JSON', async () => {
    await using agent = await startScriptedAgent({ list });
    const { stdout } = await keyhold(['token', 'list', '--json'], agent);
    expect(JSON.parse(stdout).items).toHaveLength(3);
    expect(JSON.parse(stdout).items).toContainEqual(items[1]);
    expect(stdout).not.toContain('\u202e');
  });

  test('reminds of what is due, with why, and of what is unused', async () => {
    await using agent = await startScriptedAgent({ list });
    const { stdout } = await keyhold(['token', 'list', '--due'], { ...agent, environment: { COLUMNS: '80' } });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^FOR +NAME +WHY$/);
    expect(stdout).toMatch(/never expires; \d+ days\s+old: rotate it/);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
    const unused = JSON.parse((await keyhold(['token', 'list', '--unused', '--json', '--days', '9'], agent)).stdout);
    expect(unused.items[1].reasons).toEqual([expect.stringMatching(/^unused for \d+ days$/)]);
    expect((await keyhold(['token', 'list', '--unused', '--days', '99999'], agent)).stdout).toBe(
      'Nothing to be reminded of.\n',
    );
    expect((await keyhold(['token', 'list', '--days', '0'], agent)).code).toBe(2);
  });

  test('says how to begin where nothing is held', async () => {
    await using agent = await startScriptedAgent({ list: ok() });
    expect((await keyhold(['token', 'list'], agent)).stdout).toContain('keyhold token set --for URL');
    expect((await keyhold(['token', 'list', '--json'], agent)).stdout).toBe('{\n  "items": [],\n  "services": []\n}\n');
  });
});

describe('keyhold token print', () => {
  const credential = (secret: string) => ({
    status: 'ok' as const,
    credential: { protocol: 'https', host: 'git.example', username: 'ada', secret: secretFromText(secret) },
  });

  test('prints the one value and a newline', async () => {
    await using agent = await startScriptedAgent({ get: () => credential('token-EXAMPLE') });
    const { code, stdout, stderr } = await keyhold(['token', 'print', '--for', 'https://git.example'], agent);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'token-EXAMPLE\n', stderr: '' });
  });

  test('prints a JSON document whatever characters the value has', async () => {
    await using agent = await startScriptedAgent({ get: () => credential('"quoted\\ü"-EXAMPLE') });
    const { stdout } = await keyhold(['token', 'print', '--for', 'https://git.example', '--json'], agent);
    expect(JSON.parse(stdout)).toEqual({
      protocol: 'https',
      host: 'git.example',
      username: 'ada',
      secret: '"quoted\\ü"-EXAMPLE',
    });
  });

  test.each([
    ['not-found', 4],
    ['locked', 3],
    ['expired', 7],
    ['denied', 5],
    ['unavailable', 10],
  ] as const)('ends with the exit code of %s', async (status, exitCode) => {
    await using agent = await startScriptedAgent({ get: { status, message: 'cannot get: so it is' } });
    const { code, stdout, stderr } = await keyhold(['token', 'print', '--for', 'https://git.example'], agent);
    expect({ code, stdout, stderr }).toEqual({ code: exitCode, stdout: '', stderr: 'keyhold: cannot get: so it is\n' });
  });
});

describe('keyhold token remove', () => {
  test('asks first: with nobody to ask it ends with 6 and removes nothing', async () => {
    await using agent = await startScriptedAgent({ list, erase: ok([['erased', '1']]) });
    const { code, stderr } = await keyhold(['token', 'remove', ...FOR], agent);
    expect(code).toBe(6);
    expect(stderr).toContain('--yes');
    expect(agent.asked.map(({ action }) => action)).toEqual(['list']);
  });

  test('removes what matches with --yes', async () => {
    await using agent = await startScriptedAgent({ list, erase: ok([['erased', '1']]) });
    const { code, stdout } = await keyhold(['token', 'remove', ...FOR, '--yes'], agent);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^Removed the token ada for https:\/\/git\.example\/team\/app\.\n.*revoke it there/,
      ),
    });
    expect(agent.asked.at(-1)).toEqual({
      action: 'erase',
      attributes: { protocol: 'https', host: 'git.example', path: 'team/app', username: 'ada', id: '1', purge: '1' },
    });
  });

  test('ends with 4 where nothing matches, and asks for no erase', async () => {
    await using agent = await startScriptedAgent({ list });
    const { code } = await keyhold(['token', 'remove', '--for', 'https://other.example', '--yes'], agent);
    expect(code).toBe(4);
    // What is held, and what was erased.
    expect(agent.asked.map(({ action }) => action)).toEqual(['list', 'list']);
  });
});
