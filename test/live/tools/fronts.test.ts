import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DockerEngine, startDockerEngine } from '../../fakes/tools/docker-engine.ts';
import { type DockerRegistry, startDockerRegistry } from '../../fakes/tools/docker-registry.ts';
import { need } from '../../need.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const areThere = [
  need('docker-registry', 'apt-get install docker-registry'),
  need('htpasswd', 'apt-get install apache2-utils'),
  need('docker', 'apt-get install docker.io'),
  need('podman', 'apt-get install podman'),
  need('skopeo', 'apt-get install skopeo'),
  need('git', 'apt-get install git'),
].every((isThere) => isThere);

const PLAIN = '--tls-verify=false';

describe.skipIf(!areThere)("docker's list of logins beside other tools' tokens", () => {
  let registry: DockerRegistry;
  let person: Wired;
  let engine: DockerEngine;

  const run = (program: string, words: readonly string[], input = '', env: Readonly<Record<string, string>> = {}) =>
    person.run(program, words, {
      input,
      expect: 'any',
      env: { PATH: `${person.home}/.local/bin:${person.env['PATH']}`, ...env },
    });
  const login = (program: string, ...insecure: string[]) =>
    run(program, ['login', ...insecure, '-u', 'ada', '--password-stdin', registry.host], 'reg-EXAMPLE');
  const hosts = async () => (await person.held()).map(({ host }) => host).sort();
  const git = (action: string, lines: readonly string[]) =>
    run('git', ['credential', action], `${lines.join('\n')}\n\n`);

  beforeAll(async () => {
    [registry, person] = await Promise.all([startDockerRegistry('reg-EXAMPLE'), aWiredPerson()]);
    engine = await startDockerEngine(join(person.desk, 'engine.sock'));
    const config = join(person.home, '.config/containers');
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    writeFileSync(
      join(config, 'storage.conf'),
      `[storage]\ndriver = "vfs"\nrunroot = "${person.desk}/run"\ngraphroot = "${person.desk}/graph"\n`,
    );
    mkdirSync(join(person.desk, 'build'));
    writeFileSync(join(person.desk, 'build/Dockerfile'), 'FROM scratch\n');
    for (const tool of ['git', 'docker', 'podman']) await person.setup(tool);
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    await git('approve', ['protocol=https', 'host=git.example', 'username=ada', 'password=git-EXAMPLE']);
    await person.keep({
      protocol: 'https',
      host: 'upload.pypi.example',
      username: '__token__',
      password: 'pypi-EXAMPLE',
    });
  });
  afterEach(async () => {
    for (const host of ['git.example', 'upload.pypi.example', registry.host]) {
      await run('keyhold-helper', ['erase'], `protocol=https\nhost=${host}\n\n`);
    }
  });

  it.each([
    ['skopeo', [PLAIN]],
    ['podman', [PLAIN]],
  ] as const)('%s logout --all erases its own logins and no other token', async (program, insecure) => {
    expect(await login(program, ...insecure)).toMatchObject({ code: 0 });
    expect(await hosts()).toEqual([registry.host, 'git.example', 'upload.pypi.example'].sort());
    expect(await run(program, ['logout', '--all'])).toMatchObject({ code: 0 });
    expect(await hosts()).toEqual(['git.example', 'upload.pypi.example']);
    const filled = await git('fill', ['protocol=https', 'host=git.example']);
    expect(filled.stdout).toContain('password=git-EXAMPLE\n');
  });

  it('a classic docker build sends the engine the logins of docker alone', async () => {
    expect(await login('docker')).toMatchObject({ code: 0 });
    const build = await run('docker', ['build', join(person.desk, 'build')], '', {
      DOCKER_BUILDKIT: '0',
      DOCKER_HOST: engine.host,
    });
    expect(build).toMatchObject({ code: 0 });
    expect(engine.builds.at(-1)).toEqual({ [registry.host]: 'ada' });
  });

  it('a shared token is in the list until the share is undone', async () => {
    const built = async () => {
      const env = { DOCKER_BUILDKIT: '0', DOCKER_HOST: engine.host };
      expect(await run('docker', ['build', join(person.desk, 'build')], '', env)).toMatchObject({ code: 0 });
      return Object.keys(engine.builds.at(-1)!);
    };
    expect(await built()).toEqual([]);
    const item = (await person.held()).find(({ host }) => host === 'git.example') as unknown as { id: string };
    await person.keyhold(['token', 'share', item.id, '--front', 'docker']);
    expect(await built()).toEqual(['git.example']);
    await person.keyhold(['token', 'share', item.id, '--front', 'docker', '--undo']);
    expect(await built()).toEqual([]);
  });

  it('setup docker --registry shares what is held for that registry, and says which', async () => {
    const said = await person.keyhold(['setup', 'docker', '--registry', 'git.example']);
    expect(said.stdout.replaceAll(/\s+/g, ' ')).toContain('docker lists the token ada for https://git.example');
    const shared = (await person.held()).filter((item) => (item as { fronts?: string[] }).fronts?.includes('docker'));
    expect(shared.map(({ host }) => host)).toEqual(['git.example']);
  });

  it('docker login with another password leaves git its token, and docker logout takes docker’s own away', async () => {
    await git('approve', ['protocol=https', `host=${registry.host}`, 'username=ada', 'password=git-EXAMPLE']);
    expect(await login('docker')).toMatchObject({ code: 0 });
    const fetch = () => run('docker', ['manifest', 'inspect', '--insecure', `${registry.host}/lab/demo:one`]);
    expect(await fetch()).toMatchObject({ code: 0 });
    const filled = () => git('fill', ['protocol=https', `host=${registry.host}`]);
    expect((await filled()).stdout).toContain('password=git-EXAMPLE\n');
    expect(await run('docker', ['logout', registry.host])).toMatchObject({ code: 0 });
    expect((await filled()).stdout).toContain('password=git-EXAMPLE\n');
  });
});
