import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGitServer } from '../../fakes/git-server.ts';
import { basic, type FakeServer, startServer } from '../../fakes/tools/http.ts';
import { need } from '../../need.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';
const EXPIRED = 'the credential is past its expiry';

let person: Wired;
beforeAll(async () => {
  person = await aWiredPerson();
});
afterAll(() => person[Symbol.asyncDispose]());

/** A line of a shell in which the installed names are found. */
const shell = (line: string, env: Record<string, string> = {}) =>
  person.run('/bin/sh', ['-c', line], {
    env: { PATH: `${join(person.home, '.local/bin')}:${person.env['PATH']}`, ...env },
    expect: 'any',
  });
/** The line for the shell's profile, as setup shows it. */
async function shownLine(variable: string): Promise<string> {
  const { stdout } = await person.keyhold(['setup', 'askpass']);
  const [, line] = new RegExp(`^ +(export ${variable}=.*)$`, 'm').exec(stdout) ?? [];
  expect(line).toBeDefined();
  return line!;
}

describe.skipIf(!need('curl', 'apt-get install curl'))('real curl, by keyhold-helper header', () => {
  let server: FakeServer;
  beforeAll(async () => {
    server = await startServer('Basic realm="api"', () => ({ status: 200, body: 'seven' }));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const curl = () => {
    const url = `${server.url}/v1/things?all=1`;
    return shell(`keyhold-helper header '${url}' | curl -sS --fail -H @- '${url}'`);
  };
  const status = async () => {
    const { code, stderr, stdout } = await shell(`keyhold-helper header '${server.url}'`);
    return { code, stderr, stdout };
  };

  it('sends the header, of the scheme that the credential has, and no argument holds the token', async () => {
    expect(await curl()).toMatchObject({ stdout: '' });
    expect(await status()).toEqual({ code: 4, stdout: '', stderr: 'keyhold: no credential is held for this target\n' });

    const target = { protocol: 'http', host: server.host };
    await person.keep({ ...target, password: 'token-EXAMPLE' });
    server.accepted.add('Bearer token-EXAMPLE');
    expect(await curl()).toMatchObject({ stdout: 'seven', code: 0 });

    await person.keep({ ...target, username: 'ada', password: 'basic-EXAMPLE' });
    server.accepted.add(basic('ada', 'basic-EXAMPLE'));
    expect(await curl()).toMatchObject({ stdout: 'seven', code: 0 });
    expect(server.heard.at(-1)).toMatchObject({ authorization: basic('ada', 'basic-EXAMPLE'), status: 200 });

    expect(await person.whileLocked(status)).toMatchObject({ code: 3, stdout: '', stderr: `${LOCKED}\n` });
    await person.keyhold(['token', 'remove', '--for', server.url, '--yes']);
    await person.keepPast({ ...target, password: 'short-EXAMPLE' });
    expect(await status()).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining(EXPIRED) });
  });
});

describe.skipIf(!need('restic', 'apt-get install restic'))('real restic, by keyhold token print', () => {
  const restic = (...words: string[]) =>
    shell(`restic -r repository --no-cache ${words.join(' ')}`, {
      RESTIC_PASSWORD_COMMAND: 'keyhold token print --for restic://backup/repository',
    });

  it('opens a repository with the passphrase that is kept, and says why where it cannot', async () => {
    const missing = await restic('init');
    expect(missing.stderr).toContain('no credential is held');
    expect(missing.code).not.toBe(0);
    const target = { protocol: 'restic', host: 'backup', path: 'repository' };
    await person.keep({ ...target, password: 'restic-EXAMPLE' });
    expect(await restic('init')).toMatchObject({ code: 0 });
    expect(await restic('snapshots', '--json')).toMatchObject({ stdout: expect.stringContaining('['), code: 0 });

    const locked = await person.whileLocked(() => restic('snapshots'));
    expect(locked.stderr).toContain('the credentials are locked');
    expect(locked.code).not.toBe(0);
    await person.keepPast({ ...target, password: 'other-EXAMPLE' });
    expect((await restic('snapshots')).stderr).toContain(EXPIRED);
  });
});

describe.skipIf(!need('git', 'apt-get install git'))('real git, by what setup askpass shows', () => {
  it('reads a repository with the username and the password that it asks for', async () => {
    await using server = await startGitServer(person.desk);
    server.passwords.set('ada@corp', 'git-EXAMPLE');
    const url = await server.addRepository('work.git');
    const line = await shownLine('GIT_ASKPASS');
    const read = () => shell(`${line}; git -c credential.helper= ls-remote '${url}'`);
    expect(await read()).not.toMatchObject({ code: 0 });
    await person.keep({ protocol: 'http', host: server.host, username: 'ada@corp', password: 'git-EXAMPLE' });
    expect(await read()).toMatchObject({ stdout: expect.stringContaining('refs/heads/main'), code: 0 });
    expect((await person.whileLocked(read)).stderr).toContain(LOCKED);
  });
});

describe.skipIf(!need('ssh-keygen', 'apt-get install openssh-client'))(
  'real ssh-keygen, by what setup askpass shows',
  () => {
    it('opens a key with its passphrase, and none with what is not its own', async () => {
      const key = join(person.desk, 'id');
      await shell(`ssh-keygen -q -t ed25519 -N passphrase-EXAMPLE -f '${key}'`);
      await person.setup('askpass');
      const line = await shownLine('SSH_ASKPASS');
      const open = () => shell(`${line}; KEYHOLD_ASKPASS_KEY='${key}' ssh-keygen -y -f '${key}' </dev/null`);

      expect(await open()).not.toMatchObject({ code: 0 });
      const target = { protocol: 'ssh-key', host: 'localhost', path: key.slice(1) };
      await person.keep({ ...target, password: 'passphrase-EXAMPLE' });
      expect(await open()).toMatchObject({ stdout: expect.stringMatching(/^ssh-ed25519 /), code: 0 });

      const locked = await person.whileLocked(open);
      expect(locked.stderr).toContain(LOCKED);
      expect(locked.code).not.toBe(0);
      expect(await open()).toMatchObject({ code: 0 });
      await person.keepPast({ ...target, password: 'wrong-EXAMPLE' });
      expect((await open()).stderr).toContain(EXPIRED);
      const { before, after } = await person.undo('askpass');
      expect(after).toEqual(before);
    });
  },
);
