import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DockerRegistry, startDockerRegistry } from '../../fakes/tools/docker-registry.ts';
import { need } from '../../need.ts';
import { aWiredPerson, shortly, type Wired } from './wired.ts';

const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';
const registryThere =
  need('docker-registry', 'apt-get install docker-registry') &&
  need('htpasswd', 'apt-get install apache2-utils') &&
  need('skopeo', 'apt-get install skopeo');
const docker = need('docker', 'apt-get install docker.io');
const podman = need('podman', 'apt-get install podman');
const buildah = need('buildah', 'apt-get install buildah');

describe.skipIf(!registryThere)('a real registry of images', () => {
  let registry: DockerRegistry;
  let person: Wired;
  let image: string;

  /** Runs a tool with keyhold's names on PATH, as a login shell has them. */
  const run = (program: string, words: readonly string[], input = '', env: Record<string, string> = {}) =>
    person.run(program, words, {
      input,
      expect: 'any',
      env: { PATH: `${person.home}/.local/bin:${person.env['PATH']}`, ...env },
    });
  const keep = (more: Record<string, string> = {}) =>
    person.keep({ protocol: 'https', host: registry.host, username: 'ada', password: 'reg-EXAMPLE', ...more });
  const held = async () =>
    (JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout) as { items: unknown[] }).items;

  beforeEach(async () => {
    [registry, person] = await Promise.all([startDockerRegistry('reg-EXAMPLE'), aWiredPerson()]);
    image = `${registry.host}/lab/demo:one`;
    const config = join(person.home, '.config/containers');
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    writeFileSync(
      join(config, 'storage.conf'),
      `[storage]\ndriver = "vfs"\nrunroot = "${person.desk}/run"\ngraphroot = "${person.desk}/graph"\n`,
    );
    const pushed = await run('skopeo', [
      ...['copy', '-q', '--dest-tls-verify=false', '--dest-creds', 'ada:reg-EXAMPLE'],
      ...[`oci:${registry.image}:one`, `docker://${image}`],
    ]);
    expect(pushed).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it.skipIf(!docker)('docker fetches with what setup docker wrote, which then goes without a trace', async () => {
    mkdirSync(join(person.home, '.docker'));
    writeFileSync(join(person.home, '.docker/config.json'), '{ "HttpHeaders": {"X-Mine": "1"} }');
    const inspect = () => run('docker', ['manifest', 'inspect', '--insecure', image]);
    await person.setup('docker');
    expect(await inspect()).toMatchObject({ code: 1 });
    await keep();
    expect(await inspect()).toMatchObject({ code: 0, stderr: '' });

    await person.keyhold(['lock']);
    const locked = await inspect();
    expect(locked.code).toBe(1);
    expect(locked.stderr).toContain(LOCKED);
    await person.keyhold(['unlock']);
    await keep({ password_expiry_utc: shortly() });
    await expect
      .poll(async () => (await inspect()).stderr)
      .toContain('keyhold: the credential is past its expiry; store a new one');

    const { before, after } = await person.undo('docker');
    expect(after).toEqual(before);
  });

  it.skipIf(!docker)('docker logs in and out, and writes no token of its own', async () => {
    await person.setup('docker', '--registry', registry.host);
    const login = await run('docker', ['login', '-u', 'ada', '--password-stdin', registry.host], 'reg-EXAMPLE');
    expect(login).toMatchObject({ code: 0 });
    expect(await held()).toMatchObject([{ protocol: 'https', host: registry.host, username: 'ada' }]);
    const files = await person.run('grep', ['-rl', Buffer.from('ada:reg-EXAMPLE').toString('base64'), person.home], {
      expect: 'any',
    });
    expect(files.stdout).toBe('');
    expect(await run('docker', ['manifest', 'inspect', '--insecure', image])).toMatchObject({ code: 0 });
    await person.keyhold(['lock']);
    const refused = await run('docker', ['login', '-u', 'ada', '--password-stdin', registry.host], 'reg-EXAMPLE');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(LOCKED);
    await person.keyhold(['unlock']);
    expect(await run('docker', ['logout', registry.host])).toMatchObject({ code: 0 });
    expect(await held()).toEqual([]);
  });

  it('skopeo, podman and buildah fetch with what setup podman wrote, and fail where keyhold cannot say', async () => {
    await person.setup('podman');
    const tools: Record<string, () => Promise<{ code: number; stderr: string }>> = {
      skopeo: () => run('skopeo', ['inspect', '--tls-verify=false', `docker://${image}`]),
      ...(podman ? { podman: () => run('podman', ['pull', '-q', '--tls-verify=false', image]) } : {}),
      ...(buildah
        ? { buildah: () => run('buildah', ['pull', '-q', '--policy=always', '--tls-verify=false', image]) }
        : {}),
    };
    for (const [name, fetch] of Object.entries(tools)) {
      const { code, stderr } = await fetch();
      expect(code, name).not.toBe(0);
      expect(stderr, name).toContain('unauthorized');
    }
    await keep();
    for (const [name, fetch] of Object.entries(tools)) expect(await fetch(), name).toMatchObject({ code: 0 });
    await person.keyhold(['lock']);
    for (const [name, fetch] of Object.entries(tools)) {
      const { code, stderr } = await fetch();
      expect(code, name).not.toBe(0);
      expect(stderr, name).toContain(LOCKED);
      expect(stderr, name).not.toContain('unauthorized');
    }
    await person.keyhold(['unlock']);

    const login = await run(
      'skopeo',
      ['login', '--tls-verify=false', '-u', 'ada', '--password-stdin', registry.host],
      'reg-EXAMPLE',
    );
    expect(login).toMatchObject({ code: 0 });
    expect(await run('skopeo', ['logout', registry.host])).toMatchObject({ code: 0 });
    expect(await held()).toEqual([]);
    const { before, after } = await person.undo('podman');
    expect(after).toEqual(before);
  });
});
