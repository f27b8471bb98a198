import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../client/agent/until.ts';
import { type GitServer, startGitServer } from '../fakes/git-server.ts';
import { startKeyringSession } from '../fakes/keyring-session.ts';
import { need } from '../need.ts';
import { aPerson, type Person } from './person.ts';

const git = need('git', 'apt-get install git');
const keyring =
  need('dbus-daemon', 'apt-get install dbus') &&
  need('gnome-keyring-daemon', 'apt-get install gnome-keyring') &&
  need('secret-tool', 'apt-get install libsecret-tools');

describe.skipIf(!git)('real git over HTTP, by what setup git wrote', () => {
  let folder: string;
  let server: GitServer;
  let url: string;
  let person: Person;

  const begin = async (env: Readonly<Record<string, string>> = {}) => {
    person = await aPerson({ env });
    await person.keyhold(['install']);
    await person.keyhold(['setup', 'git']);
    expect(readFileSync(join(person.home, '.gitconfig'), 'utf8').split('\n')).toHaveLength(4);
  };
  const approve = (username: string, password: string, host = server.host) =>
    person.git(['credential', 'approve'], {
      input: `protocol=http\nhost=${host}\nusername=${username}\npassword=${password}\n\n`,
    });
  /** The password that git would get for a user; undefined if none. */
  const held = async (username: string, host = server.host) => {
    const input = `protocol=http\nhost=${host}\nusername=${username}\n\n`;
    const { stdout } = await person.git(['credential', 'fill'], { input, expect: 'any' });
    return /^password=(.*)$/m.exec(stdout)?.[1];
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'keyhold-server-'));
    server = await startGitServer(folder);
    server.passwords.set('ada', 'ada-one-EXAMPLE');
    url = await server.addRepository('work.git');
  });
  afterEach(async () => {
    await person[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('clones, fetches and pushes without a prompt', async () => {
    await begin();
    await approve('ada', 'ada-one-EXAMPLE');
    await person.git(['clone', '-q', url, 'work']);
    const work = { cwd: join(person.desk, 'work') };
    writeFileSync(join(work.cwd, 'file'), 'text\n');
    await person.git(['add', 'file'], work);
    await person.git(['-c', 'user.name=Ada', '-c', 'user.email=ada@git.invalid', 'commit', '-q', '-m', 'second'], work);
    await person.git(['push', '-q', 'origin', 'main'], work);
    await person.git(['fetch', '-q'], work);
    const posts = server.requests.filter(({ method }) => method === 'POST');
    expect(posts.map(({ path }) => path.split('/').at(-1))).toContain('git-receive-pack');
    expect(posts.every(({ user, status }) => user === 'ada' && status === 200)).toBe(true);
    expect(await held('ada')).toBe('ada-one-EXAMPLE');
  });

  it("gives a token that is kept without a username with the service's own, and keeps one copy of it", async () => {
    await begin();
    server.passwords.set('oauth2', 'glpat-aaaaaaaaaaaaaEXAMPLE');
    const words = ['token', 'set', '--service', 'gitlab', '--for', server.url, '--no-verify'];
    await person.keyhold(words, { input: 'glpat-aaaaaaaaaaaaaEXAMPLE\n' });
    await person.git(['clone', '-q', url, 'work']);
    expect(server.requests.at(-1)).toMatchObject({ user: 'oauth2', status: 200 });
    const listed = async () => JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout).items;
    expect(await listed()).toMatchObject([{ service: 'gitlab' }]);
    expect(await listed()).toHaveLength(1);
    // The server refuses it: git's erase takes away this very token.
    server.passwords.delete('oauth2');
    await person.git(['ls-remote', url], { expect: 'any' });
    expect(await listed()).toEqual([]);
  });

  it('says what to do about a token without a username where it knows no convention', async () => {
    await begin();
    const input = `action=store\ncapability[]=keyhold\nprotocol=http\nhost=${server.host}\npassword=token-EXAMPLE\n\n`;
    await person.run(join(person.home, '.local/bin/keyhold-helper'), ['store'], { input });
    const { code, stderr } = await person.git(['ls-remote', url], { expect: 'any' });
    expect(code).not.toBe(0);
    expect(stderr).toContain(`run: keyhold token set --for ${server.url} --username NAME`);
  });

  it('forgets exactly the credential that the server refused with 401', async () => {
    await begin();
    await approve('bob', 'bob-EXAMPLE');
    await approve('ada', 'elsewhere-EXAMPLE', 'elsewhere.invalid');
    await approve('ada', 'ada-old-EXAMPLE');
    const withUser = url.replace('http://', 'http://ada@');
    const { code } = await person.git(['ls-remote', withUser], { expect: 'any' });
    expect(code).not.toBe(0);
    expect(server.requests.some(({ password, status }) => password === 'ada-old-EXAMPLE' && status === 401)).toBe(true);
    expect(await held('ada')).toBeUndefined();
    expect(await held('bob')).toBe('bob-EXAMPLE');
    expect(await held('ada', 'elsewhere.invalid')).toBe('elsewhere-EXAMPLE');
  });

  describe('with two users of one host, of whom the one stored last may not read the repository', () => {
    const ask = async (words: readonly string[], cwd = person.desk) =>
      (await person.git(words, { cwd, expect: 'any' })).code;
    const json = async (...words: string[]) => JSON.parse((await person.keyhold([...words, '--json'])).stdout);

    beforeEach(async () => {
      await begin();
      await approve('ada', 'ada-one-EXAMPLE');
      await approve('bob', 'bob-EXAMPLE');
    });

    it('loses neither token, and the next try from the same folder works, also when the refused one is back', async () => {
      // git asks a helper once per process: the first try may fail.
      expect(await ask(['ls-remote', url])).not.toBe(0);
      expect(server.requests.at(-1)).toMatchObject({ user: 'bob', status: 401 });
      const { items } = await json('token', 'list', '--erased');
      expect(items).toMatchObject([{ username: 'bob', tool: 'git' }]);
      expect(await ask(['ls-remote', url])).toBe(0);
      expect(server.requests.at(-1)).toMatchObject({ user: 'ada', status: 200 });
      await person.keyhold(['token', 'restore', 'bob']);
      expect(await held('bob')).toBe('bob-EXAMPLE');
      expect(await ask(['ls-remote', url])).toBe(0);
      expect(server.requests.filter(({ status, user }) => user === 'bob' && status === 401)).toHaveLength(1);
      // The audit log says whose token it was.
      const { items: log } = await json('audit', 'list');
      const erases = log.filter(({ action }: { action: string }) => action === 'erase');
      expect(erases).toMatchObject([{ target: `http://${server.host}`, username: 'bob', tool: 'git' }]);
    });

    it('clones into a folder at the second try, and goes on there as the account that could read', async () => {
      expect(await ask(['clone', '-q', url, 'work'])).not.toBe(0);
      expect(await ask(['clone', '-q', url, 'work'])).toBe(0);
      await person.keyhold(['token', 'restore', 'bob']);
      const work = join(person.desk, 'work');
      const before = server.requests.length;
      expect(await ask(['fetch', '-q'], work)).toBe(0);
      expect(await ask(['-C', 'work', 'fetch', '-q'])).toBe(0);
      const users = server.requests.slice(before).flatMap(({ user }) => user ?? []);
      expect(new Set(users)).toEqual(new Set(['ada']));
      // Elsewhere the one stored last is still the first.
      expect(await ask(['ls-remote', url], person.home)).not.toBe(0);
      expect(server.requests.at(-1)).toMatchObject({ user: 'bob', status: 401 });
    });

    it('clones by the profile that the destination is bound to, whatever the working directory', async () => {
      const place = join(person.desk, 'projects');
      mkdirSync(place);
      await person.keyhold(['profile', 'set', 'account', 'ada', '--profile', 'work']);
      await person.keyhold(['profile', 'use', 'work', '--here'], { cwd: place });
      expect(await ask(['clone', '-q', url, join(place, 'work')], person.home)).toBe(0);
      expect(server.requests.flatMap(({ user }) => user ?? [])).not.toContain('bob');
    });
  });

  it('forgets nothing when the server says 403', async () => {
    await begin();
    await approve('ada', 'ada-one-EXAMPLE');
    server.refuseWith = 403;
    const { code, stderr } = await person.git(['ls-remote', url], { expect: 'any' });
    expect(code).not.toBe(0);
    expect(stderr).toContain('403');
    server.refuseWith = undefined;
    await person.git(['ls-remote', url]);
    expect(await held('ada')).toBe('ada-one-EXAMPLE');
  });

  it('keeps what the person answers to the one prompt, and tells nobody else', async () => {
    await begin();
    writeFileSync(
      join(person.desk, 'askpass'),
      '#!/bin/sh\ncase $1 in User*) echo ada ;; *) echo ada-one-EXAMPLE ;; esac\n',
      { mode: 0o755 },
    );
    await person.git(['ls-remote', url], { env: { GIT_ASKPASS: join(person.desk, 'askpass') } });
    await person.git(['ls-remote', url]);
    expect(await held('ada')).toBe('ada-one-EXAMPLE');
  });

  it.skipIf(!keyring)(
    'takes the token from the keyring again after every process was killed',
    { timeout: 120_000 },
    async () => {
      await using session = await startKeyringSession();
      const { DBUS_SESSION_BUS_ADDRESS = '', XDG_RUNTIME_DIR = '' } = session.env;
      await begin({ DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR });
      await person.keyhold(['install']);
      await approve('ada', 'ada-one-EXAMPLE');
      const status = JSON.parse((await person.keyhold(['status', '--json'])).stdout) as { backend: string };
      expect(status.backend).toBe('keyring');
      const inKeyring = () =>
        session.run('secret-tool', 'lookup', 'service', `http://${server.host}`, 'username', 'ada');
      expect(await inKeyring()).toBe('ada-one-EXAMPLE');

      process.kill((await person.agentPid())!, 'SIGKILL');
      // A keyring that does not answer within its second, on a machine that is busy, is asked again.
      const isServed = async () => (await person.git(['ls-remote', url], { expect: 'any' })).code === 0;
      expect(await until(isServed, 20_000)).toBe(true);
      expect(server.requests.at(-1)).toMatchObject({ user: 'ada', status: 200 });

      await person.keyhold(['uninstall', '--purge', '--yes']);
      await expect(inKeyring()).rejects.toThrow();
    },
  );
});
