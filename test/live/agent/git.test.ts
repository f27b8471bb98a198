import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltAgent, configure, DIST, get, launchAgent, startAgent, store } from '../../fakes/built-agent.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function run(program: string, args: readonly string[], input: string, env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: '/', env, timeout: 20_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('latin1').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input, 'latin1');
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const folder = temporaryFolder('git');
let agent: BuiltAgent;
let environment: Record<string, string>;

beforeAll(async () => {
  const home = `${folder.path}/home`;
  mkdirSync(home, { mode: 0o700 });
  configure(home, { backend: 'vault' });
  agent = await startAgent({ home });
  const askpass = `${folder.path}/askpass`;
  writeFileSync(askpass, '#!/bin/sh\ncase $1 in User*) echo askpass-username ;; *) echo askpass-password ;; esac\n', {
    mode: 0o700,
  });
  environment = {
    PATH: `${DIST}/bin:${process.env.PATH}`,
    HOME: folder.path,
    KEYHOLD_HOME: home,
    KEYHOLD_NO_AUTOSTART: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ASKPASS: askpass,
    GIT_TERMINAL_PROMPT: '0',
  };
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  folder.remove();
});

const lines = (words: string) =>
  words
    .split(' ')
    .map((word) => `${word}\n`)
    .join('');

/** `git credential VERB` with our helper alone; what it prints, its lines in the order of their names. */
async function git(verb: 'fill' | 'approve' | 'reject', words: string, helper = 'keyhold', more: string[] = []) {
  const args = ['-c', 'credential.helper=', '-c', `credential.helper=${helper}`, ...more, 'credential', verb];
  const { stdout, stderr, code } = await run('git', args, lines(words), environment);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim().replaceAll('\n', ' ');
}

/** The helper as git runs it. */
async function helper(operation: string, words: string): Promise<string> {
  const { stdout, stderr, code } = await run(
    `${DIST}/bin/git-credential-keyhold`,
    [operation],
    lines(words),
    environment,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trim().replaceAll('\n', ' ');
}

const SITE = 'protocol=https host=example.com';
const ASKED = 'username=askpass-username password=askpass-password';
const USER1 = 'username=store-user password=store-EXAMPLE';

describe.skipIf(!need('git', 'apt-get install git'))('git’s own list of what a helper must do', () => {
  beforeEach(async () => {
    for (const host of ['example.com', 'path.tld', 'timeout.tld', 'victim.example.com']) {
      await helper('erase', `protocol=https host=${host}`);
    }
  });

  it('1. nothing is found in an empty store', async () => {
    expect(await git('fill', SITE)).toBe(`${SITE} ${ASKED}`);
  });

  it('2, 3. what is stored comes back', async () => {
    expect(await git('approve', `${SITE} ${USER1}`)).toBe('');
    expect(await git('fill', SITE)).toBe(`${SITE} ${USER1}`);
  });

  it('4–6. another protocol, host or user does not match', async () => {
    await git('approve', `${SITE} ${USER1}`);
    for (const other of ['protocol=http host=example.com', 'protocol=https host=other.tld']) {
      expect(await git('fill', other)).toBe(`${other} ${ASKED}`);
    }
    expect(await git('fill', `${SITE} username=other`)).toBe(`${SITE} username=other password=askpass-password`);
  });

  it('7. another path does not match where paths count', async () => {
    const paths = ['-c', 'credential.useHttpPath=true'];
    await git('approve', 'protocol=http host=path.tld path=foo.git username=u password=p-EXAMPLE', 'keyhold', paths);
    expect(await git('fill', 'protocol=http host=path.tld path=bar.git', 'keyhold', paths)).toBe(
      `protocol=http host=path.tld path=bar.git ${ASKED}`,
    );
    await helper('erase', 'protocol=http host=path.tld');
  });

  it('8. a second store replaces the first, and its password erases it', async () => {
    await git('approve', `${SITE} ${USER1}`);
    await git('approve', `${SITE} username=store-user password=new-EXAMPLE`);
    expect(await git('fill', SITE)).toBe(`${SITE} username=store-user password=new-EXAMPLE`);
    await git('reject', `${SITE} username=store-user password=new-EXAMPLE`);
    expect(await git('fill', SITE)).toBe(`${SITE} ${ASKED}`);
  });

  it('9. protocol and host alone erase', async () => {
    await git('approve', `${SITE} ${USER1}`);
    await git('reject', SITE);
    expect(await git('fill', SITE)).toBe(`${SITE} ${ASKED}`);
  });

  it('10–13. two users are kept apart, and only the one that is named is erased', async () => {
    await git('approve', `${SITE} username=user1 password=pass1-EXAMPLE`);
    await git('approve', `${SITE} username=user2 password=pass2-EXAMPLE`);
    for (const number of [1, 2]) {
      expect(await git('fill', `${SITE} username=user${number}`)).toBe(
        `${SITE} username=user${number} password=pass${number}-EXAMPLE`,
      );
    }
    await git('reject', `${SITE} username=user1 password=other-EXAMPLE`);
    expect(await git('fill', `${SITE} username=user1`)).toContain('pass1-EXAMPLE');
    await git('reject', `${SITE} username=user1`);
    expect(await git('fill', `${SITE} username=user1`)).toContain('askpass-password');
    expect(await git('fill', `${SITE} username=user2`)).toContain('pass2-EXAMPLE');
  });

  it('14. an empty user and an empty password come back as two lines', async () => {
    await git('approve', `${SITE} username= password=`);
    expect(await git('fill', SITE)).toBe(`${SITE} username= password=`);
  });

  it('15. a host erases all of its users', async () => {
    for (const user of ['user1', 'user2']) await git('approve', `${SITE} username=${user} password=p-EXAMPLE`);
    await git('reject', SITE);
    for (const user of ['user1', 'user2']) expect(await helper('get', `${SITE} username=${user}`)).toBe('');
  });

  it('16. a long wwwauth[] line is not cut into another host', async () => {
    await helper('store', 'protocol=https host=victim.example.com username=user password=to-be-stolen-EXAMPLE');
    for (const length of [1_000, 1_013, 1_014, 1_023, 1_024, 1_025, 4_096, 65_000]) {
      const long = `${SITE} wwwauth[]=${'a'.repeat(length)}host=victim.example.com`;
      expect(await helper('get', long)).toBe('');
      expect(await git('fill', long)).not.toContain('stolen');
    }
  });

  it('a timeout ends after its seconds', async () => {
    const timed = 'keyhold --timeout=1';
    await git('approve', `protocol=https host=timeout.tld ${USER1}`, timed);
    expect(await git('fill', 'protocol=https host=timeout.tld', timed)).toContain('store-EXAMPLE');
    await sleep(1_100);
    expect(await git('fill', 'protocol=https host=timeout.tld', timed)).toContain('askpass-password');
  });

  it('an expiry comes back, is replaced, and needs no naming to erase', async () => {
    const credential = `${SITE} ${USER1}`;
    await helper('store', `${credential} password_expiry_utc=9999999998`);
    expect(await helper('get', SITE)).toBe(`${USER1} password_expiry_utc=9999999998`);
    await helper('store', `${credential} password_expiry_utc=9999999999`);
    expect(await helper('get', SITE)).toBe(`${USER1} password_expiry_utc=9999999999`);
    await helper('erase', credential);
    expect(await helper('get', SITE)).toBe('');
  });

  it('a refresh token comes back', async () => {
    await helper('store', `${SITE} ${USER1} oauth_refresh_token=refresh-EXAMPLE`);
    expect(await helper('get', SITE)).toBe(`${USER1} oauth_refresh_token=refresh-EXAMPLE`);
  });

  it('an authtype goes to who offered it, and what is ephemeral is not kept', async () => {
    const bearer = `capability[]=authtype ${SITE} authtype=Bearer credential=token-EXAMPLE`;
    await helper('store', bearer);
    expect(await helper('get', `capability[]=authtype ${SITE}`)).toBe(
      'capability[]=authtype authtype=Bearer credential=token-EXAMPLE',
    );
    expect(await helper('get', SITE)).toBe('');
    expect(await helper('get', `capability[]=authtype ${SITE} username=other`)).toBe('');
    await helper('erase', SITE);
    await helper('store', `${bearer} ephemeral=1`);
    await helper('store', `capability[]=authtype ${SITE} ${USER1} ephemeral=1`);
    expect(await helper('get', `capability[]=authtype ${SITE}`)).toBe('');
  });

  it('what has expired is never given to a git that knows no expiry', async () => {
    const soon = Math.floor(Date.now() / 1_000) + 2;
    await helper('store', `${SITE} ${USER1} password_expiry_utc=${soon}`);
    expect(await git('fill', SITE)).toContain('store-EXAMPLE');
    await sleep(2_100);
    expect(await git('fill', SITE)).toContain('askpass-password');
  });

  it('git’s cache client is served unchanged, and cannot end the agent', async () => {
    const cache = (verb: string, words: string) =>
      run('git', ['credential-cache', '--socket', agent.socket, verb], lines(words), environment);
    const quiet = { code: 0, stdout: '', stderr: '' };
    expect(await cache('store', `${SITE} ${USER1}`)).toEqual(quiet);
    expect(await cache('get', SITE)).toEqual({ ...quiet, stdout: lines(USER1) });
    expect(await cache('erase', SITE)).toEqual(quiet);
    expect(await cache('get', SITE)).toEqual(quiet);
    expect(await cache('exit', '')).toMatchObject({ stdout: '' });
    expect(await agent.ask(...get('example.com'))).toContain('status=not-found');
  });

  it('locked gives git nothing, and one line of advice', async () => {
    await git('approve', `${SITE} ${USER1}`);
    await agent.ask('action=lock', 'capability[]=keyhold');
    const { stdout, stderr, code } = await run(`${DIST}/bin/git-credential-keyhold`, ['get'], lines(SITE), environment);
    expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
    expect(stderr).toBe('keyhold: the credentials are locked; run: keyhold unlock\n');
    await agent.ask('action=unlock', 'capability[]=keyhold', 'interactive=0');
    expect(await git('fill', SITE)).toContain('store-EXAMPLE');
  });
});

describe('a lock', () => {
  it('outlives kill -9, and so does what is held', async () => {
    await using first = await startAgent();
    await first.ask(...store('a.test', 'pass-EXAMPLE'));
    await first.ask('action=lock', 'capability[]=keyhold');
    first.kill('SIGKILL');
    await first.ended;
    await using second = await startAgent({ home: first.home });
    expect(await second.ask(...get('a.test'))).toMatch(/^status=locked$/m);
    await second.ask('action=unlock', 'capability[]=keyhold', 'interactive=0');
    expect(await second.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
  });
});

it('an agent started through a link finds its own folder', async () => {
  const link = `${folder.path}/linked-agent`;
  symlinkSync(`${DIST}/bin/keyhold-agent`, link);
  await using linked = launchAgent({ under: ['sh', '-c', `exec ${link} --version`] });
  expect(await linked.ended).toBe(0);
});
