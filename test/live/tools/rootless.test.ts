import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerRegistry, startDockerRegistry } from '../../fakes/tools/docker-registry.ts';
import { need } from '../../need.ts';
import { aMachine, canMakeMachine, type Machine } from '../machine.ts';
import { aPerson, type Person, PLAIN_UID } from '../person.ts';

const isThere =
  need('podman', 'apt-get install podman') &&
  need('newuidmap', 'apt-get install uidmap') &&
  need('skopeo', 'apt-get install skopeo') &&
  need('docker-registry', 'apt-get install docker-registry') &&
  need('htpasswd', 'apt-get install apache2-utils') &&
  canMakeMachine();

/** podman runs its helper as uid 0 of a user namespace that it made, and sets XDG_RUNTIME_DIR where it is missing. */
describe.skipIf(!isThere)('podman of a plain user', () => {
  let machine: Machine;
  let registry: DockerRegistry;
  let person: Person;

  const podman = (words: readonly string[], env: Record<string, string>, input = '') =>
    person.run('podman', words, {
      input,
      expect: 'any',
      env: { PATH: `${person.home}/.local/bin:${person.env['PATH']}`, ...env },
    });
  const held = async () => {
    const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout) as {
      items: { host: string }[];
    };
    return items.filter(({ host }) => host === registry.host);
  };
  const write = async (path: string, text: string) => {
    await person.run('sh', ['-c', 'mkdir -p "$(dirname "$1")" && cat >"$1"', 'sh', path], { input: text });
  };

  beforeAll(async () => {
    machine = await aMachine();
    [registry, person] = await Promise.all([
      startDockerRegistry('reg-EXAMPLE'),
      aPerson({ plain: true, under: machine.enter }),
    ]);
    machine.addUser(PLAIN_UID, person.home);
    await person.keyhold(['install']);
    await person.keyhold(['setup', 'podman']);
    const config = join(person.home, '.config/containers');
    await write(join(config, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    await write(
      join(config, 'storage.conf'),
      `[storage]\ndriver = "vfs"\nrunroot = "${person.desk}/run"\ngraphroot = "${person.desk}/graph"\n`,
    );
  });
  afterAll(async () => {
    await podman(['system', 'reset', '--force'], {});
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });

  const plain = '--tls-verify=false';
  const image = () => `${registry.host}/lab/demo:one`;
  const env = { XDG_RUNTIME_DIR: `/run/user/${PLAIN_UID}` };

  it('runs its helper in a user namespace of its own', async () => {
    const { stdout } = await podman(['unshare', 'cat', '/proc/self/uid_map'], {});
    // Its own uid, and the subordinate ones behind it: the map has more than one range.
    expect(stdout).toMatch(/^\s*0\s+1000\s+1\n\s*1\s+200000\s+65536$/m);
  });

  it.each([
    ['in a session without a runtime folder', {}, false],
    ['in a session with one', env, true],
    ['without the variable, where there is one', {}, true],
    ['with another variable, where there is one', { XDG_RUNTIME_DIR: `/run/user/${PLAIN_UID}/other` }, true],
  ] as const)('logs in, pulls and logs out by the user’s one agent: %s', async (_, session, isLoggedIn) => {
    if (isLoggedIn) await machine.login(PLAIN_UID);
    // podman wants it to exist.
    if (isLoggedIn) await person.run('mkdir', ['-p', '-m', '700', `/run/user/${PLAIN_UID}/other`]);
    else await machine.logout(PLAIN_UID);
    // The agent is one of another session.
    await person.keyhold(['restart', '--yes']);
    const pid = await person.agentPid();
    const login = await podman(
      ['login', plain, '-u', 'ada', '--password-stdin', registry.host],
      session,
      'reg-EXAMPLE',
    );
    expect(login).toMatchObject({ code: 0, stdout: 'Login Succeeded!\n' });
    expect(await held()).toMatchObject([{ protocol: 'https', username: 'ada' }]);
    await podman(['rmi', '--force', image()], session);
    expect(await podman(['pull', '-q', plain, image()], session)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/),
    });
    expect(await podman(['logout', registry.host], session)).toMatchObject({ code: 0, stderr: '' });
    expect(await held()).toEqual([]);
    await podman(['rmi', '--force', image()], session);
    expect((await podman(['pull', '-q', plain, image()], session)).stderr).toMatch(
      /unauthorized|authentication required/,
    );
    expect(await person.agentPid()).toBe(pid);
  });

  it('erases its own logins by logout --all, and no token of git', async () => {
    await machine.login(PLAIN_UID);
    await person.keyhold(['restart', '--yes']);
    const lines = 'protocol=https\nhost=git.example\nusername=ada\npassword=git-EXAMPLE\n\n';
    await person.run(join(person.home, '.local/bin/git-credential-keyhold'), ['store'], { input: lines });
    const words = ['login', plain, '-u', 'ada', '--password-stdin', registry.host];
    expect(await podman(words, env, 'reg-EXAMPLE')).toMatchObject({ code: 0 });
    expect(await podman(['logout', '--all'], env)).toMatchObject({ code: 0 });
    const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout);
    expect(items.map(({ host }: { host: string }) => host)).toEqual(['git.example']);
  });

  it('starts no agent from there', async () => {
    await person.keyhold(['stop']);
    const { code, stderr } = await podman(
      ['unshare', join(person.home, '.local/bin/keyhold-helper'), 'get'],
      env,
      'protocol=https\nhost=a.test\n\n',
    );
    expect({ code, stderr }).toMatchObject({ code: 10 });
    expect(await person.agentPid()).toBeUndefined();
    const started = await podman(['unshare', join(person.home, '.local/bin/keyhold'), 'start'], env);
    expect(started.stderr).toMatch(/^keyhold: cannot start the agent here: this is a user namespace of its own/);
    expect(started.code).not.toBe(0);
    expect(await person.agentPid()).toBeUndefined();
  });
});
