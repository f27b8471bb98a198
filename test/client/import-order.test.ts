import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openComposed } from '../fakes/composed-agent.ts';
import { emptyHome, keyhold } from './keyhold.ts';

/** What keyhold serves after an import, by the agent itself: what each program gave before. */
let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
});
afterEach(() => agent.dispose());

const run = (args: readonly string[], input?: string) =>
  keyhold(args, { home, ...(input === undefined ? {} : { input }), environment: { KEYHOLD_SOCKET: agent.socket } });
const write = (path: string, text: string) => {
  mkdirSync(dirname(join(home, path)), { recursive: true });
  writeFileSync(join(home, path), text, { mode: 0o600 });
};
const served = async (url: string) => (await run(['token', 'print', '--for', url])).stdout.trim();
const statuses = async (...args: string[]) => {
  const { stdout } = await run(['import', '--all', '--json', ...args]);
  return (JSON.parse(stdout).tokens as { status: string }[]).map(({ status }) => status);
};

test('of two users of one host in .git-credentials the first is served, as git served it', async () => {
  write('.git-credentials', 'https://ada:a-EXAMPLE@h.example\nhttps://bob:b-EXAMPLE@h.example\n');
  expect(await statuses()).toEqual(['imported', 'imported']);
  expect(await served('https://h.example')).toBe('a-EXAMPLE');
  expect(await served('https://bob@h.example')).toBe('b-EXAMPLE');
});

test("gh's active account is served, wherever it stands in the file", async () => {
  const users = 'users:\n    ada:\n      oauth_token: a-EXAMPLE\n    bob:\n      oauth_token: b-EXAMPLE\n';
  for (const [active, token] of [
    ['ada', 'a-EXAMPLE'],
    ['bob', 'b-EXAMPLE'],
  ] as const) {
    const host = `${active}.example`;
    write('.config/gh/hosts.yml', `${host}:\n  ${users}  oauth_token: ${token}\n  user: ${active}\n`);
    expect(await statuses('--only', 'gh')).toEqual(['imported', 'imported']);
    expect(await served(`https://${host}`)).toBe(token);
  }
});

test('of two values for one user the first is taken, also with --replace, and the other stays in its file', async () => {
  const lines = 'https://ada:first-EXAMPLE@h.example\nhttps://ada:second-EXAMPLE@h.example\n';
  write('.git-credentials', lines);
  expect(await statuses()).toEqual(['imported', 'differs']);
  await run(['token', 'set', '--for', 'https://ada@h.example', '--yes'], 'mine-EXAMPLE\n');
  expect(await statuses()).toEqual(['differs', 'differs']);
  expect(await served('https://h.example')).toBe('mine-EXAMPLE');
  expect(await statuses('--replace')).toEqual(['imported', 'differs']);
  expect(await served('https://h.example')).toBe('first-EXAMPLE');
  expect(readFileSync(join(home, '.git-credentials'), 'utf8')).toBe(lines);
});

test('without a terminal another token that is held is not asked about, and both stay (exit 1, as before)', async () => {
  const line = 'https://ada:in-the-file-EXAMPLE@h.example\n';
  write('.git-credentials', line);
  await run(['token', 'set', '--for', 'https://ada@h.example', '--yes'], 'mine-EXAMPLE\n');
  const { code, stdout, stderr } = await run(['import', '--all']);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout.replace(/\s+/g, ' ')).toContain(
    'another one is held for it, and both stay; pass --replace to change it',
  );
  expect(await served('https://h.example')).toBe('mine-EXAMPLE');
  expect(readFileSync(join(home, '.git-credentials'), 'utf8')).toBe(line);
});

test('a profile whose endpoint is another server gives no token for the default one', async () => {
  write(
    '.podstack/config.yaml',
    'profiles:\n  work:\n    token: podstack_w-EXAMPLE\n    api_endpoint: https://api.work.podstack.ai\n',
  );
  expect(await statuses()).toEqual(['imported']);
  expect(await served('https://api.work.podstack.ai')).toBe('podstack_w-EXAMPLE');
  expect(await served('https://api.podstack.ai')).toBe('');
});
