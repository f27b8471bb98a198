import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchange } from '../fakes/built-agent.ts';
import { openComposed } from '../fakes/composed-agent.ts';
import { type Ended, emptyHome, keyhold } from './keyhold.ts';

const GITHUB = 'https://github.com';
const VALUE = { ada: 'a', bob: 'b', eve: 'e' } as const;

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
});
afterEach(() => agent.dispose());

function run(...args: readonly string[]): Promise<Ended> {
  return keyhold(args, { home, environment: { KEYHOLD_SOCKET: agent.socket } });
}

async function signIn(name: keyof typeof VALUE, url = GITHUB): Promise<void> {
  const input = url === GITHUB ? `ghp_${VALUE[name].repeat(29)}EXAMPLE\n` : `glpat-${VALUE[name].repeat(13)}EXAMPLE\n`;
  const args = ['auth', 'login', '--for', url, '--username', name, '--with-token', '--no-verify'];
  const { code, stderr } = await keyhold(args, { home, input, environment: { KEYHOLD_SOCKET: agent.socket } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

const profiles = () => JSON.parse(readFileSync(join(home, 'config/profiles.json'), 'utf8')) as unknown;
async function acting(...options: string[]): Promise<unknown> {
  const { stdout } = await run('auth', 'status', '--json', ...options);
  return (JSON.parse(stdout) as { accounts: { account: string }[] }).accounts.map(({ account }) => account);
}

describe('auth switch, where no profile is in force', () => {
  test('makes the choice a setting of a profile that is the default from then on', async () => {
    await signIn('ada');
    await signIn('bob');
    expect(await acting()).toEqual(['bob']);
    const { code, stdout } = await run('auth', 'switch', 'ada');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ada acts now\.\n/);
    expect(stdout.replace(/\s+/g, ' ')).toContain('To take it back: keyhold profile remove default');
    expect(profiles()).toEqual({
      default: 'default',
      profiles: { default: { 'account.github.com': 'ada' } },
      folders: {},
    });
    expect(await acting()).toEqual(['ada']);
    expect((await run('profile', 'remove', 'default', '--yes')).code).toBe(0);
    expect(await acting()).toEqual(['bob']);
  });

  test('of two takes the other one, with a terminal and without', async () => {
    await signIn('ada');
    await signIn('bob');
    for (const [before, account] of [
      ['bob', 'ada'],
      ['ada', 'bob'],
    ]) {
      const { stdout } = await run('auth', 'switch', '--json', '--no-input');
      expect(JSON.parse(stdout)).toMatchObject({ account, before, profile: 'default', by: 'default' });
      expect(await acting()).toEqual([account]);
    }
  });

  test('of three names all where no person can be asked (6), and changes nothing', async () => {
    for (const name of ['ada', 'bob', 'eve'] as const) await signIn(name);
    const { code, stderr } = await run('auth', 'switch');
    expect(code).toBe(6);
    expect(stderr).toMatch(/name one of (ada|bob|eve), (ada|bob|eve), (ada|bob|eve)/);
    expect(await acting()).toEqual(['eve']);
    expect((await run('auth', 'switch', '--username', 'ada')).code).toBe(0);
    expect(await acting()).toEqual(['ada']);
  });

  test('leaves a profile named default alone whose other settings would come into force', async () => {
    await signIn('ada');
    await signIn('bob');
    await run('profile', 'set', 'output', 'text', '--profile', 'default');
    const refused = await run('auth', 'switch', 'ada');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('keyhold profile use default') });
    expect(await acting()).toEqual(['bob']);
    expect((await run('profile', 'use', 'default')).code).toBe(0);
    expect((await run('auth', 'switch', 'ada')).code).toBe(0);
    expect(await acting()).toEqual(['ada']);
  });
});

describe('auth switch, where a profile is in force', () => {
  test('writes into that one, by name, folder or default, and leaves the others', async () => {
    await signIn('ada');
    await signIn('bob');
    await run('profile', 'set', 'account', 'bob', '--profile', 'work');
    const { stdout } = await run('auth', 'switch', 'ada', '--profile', 'work', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ account: 'ada', before: 'bob', profile: 'work', by: 'name' });
    expect(profiles()).toMatchObject({ profiles: { work: { account: 'bob', 'account.github.com': 'ada' } } });
    expect(await acting('--profile', 'work')).toEqual(['ada']);
    expect(await acting()).toEqual(['bob']);
    mkdirSync(join(home, 'app'), { mode: 0o700 });
    await run('profile', 'set', 'output', 'text', '--profile', 'here');
    await run('profile', 'use', 'here', '--here');
    expect(JSON.parse((await run('auth', 'switch', '--json')).stdout)).toMatchObject({
      account: 'ada',
      profile: 'here',
      by: 'folder',
    });
  });

  test('with its server: another server keeps its own account', async () => {
    await signIn('ada');
    await signIn('bob');
    await signIn('ada', 'https://gitlab.com');
    await signIn('bob', 'https://gitlab.com');
    const unclear = await run('auth', 'switch', 'ada');
    expect(unclear).toMatchObject({ code: 2, stderr: expect.stringContaining('give --service NAME or --for URL') });
    expect(unclear.stderr).toContain('github (https://github.com)');
    expect((await run('auth', 'switch', 'ada', '--service', 'gitlab')).code).toBe(0);
    expect(await acting('--service', 'gitlab')).toEqual(['ada']);
    expect(await acting('--service', 'github')).toEqual(['bob']);
  });
});

describe('what cannot be switched to', () => {
  test.each([
    ['an account that is not held names those that are', 'eve', 4, 'the accounts are '],
    [
      'one account only says how to sign in with another',
      undefined,
      4,
      'keyhold auth login --service github --for https://github.com --username NAME',
    ],
  ])('%s', async (_, name, code, why) => {
    await signIn('ada');
    if (name !== undefined) await signIn('bob');
    const ended = await run('auth', 'switch', ...(name === undefined ? [] : [name]));
    expect(ended).toMatchObject({ code, stderr: expect.stringContaining(why) });
    if (name !== undefined) expect(ended.stderr).toMatch(/(ada, bob|bob, ada) of github \(https:\/\/github\.com\)/);
  });

  test('without a login it says how to sign in (6)', async () => {
    expect(await run('auth', 'switch')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('keyhold auth login'),
    });
    const named = await run('auth', 'switch', 'ada', '--service', 'github');
    expect(named).toMatchObject({ code: 6, stderr: expect.stringContaining('keyhold auth login --service github') });
  });

  test('a token that a service created for a purpose is no login', async () => {
    await signIn('ada');
    const created = ['action=store', 'capability[]=keyhold', 'protocol=https', 'host=github.com', 'username=ci-deploy'];
    await exchange(agent.socket, [...created, 'password=ci-EXAMPLE', 'made=created', 'service=github']);
    const ended = await run('auth', 'switch', 'ci-deploy');
    expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('the accounts are ada of github') });
  });
});
