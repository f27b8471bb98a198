import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerRegistry, startDockerRegistry } from '../../fakes/tools/docker-registry.ts';
import { need } from '../../need.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const LOCKED = 'keyhold: the credentials are locked; run: keyhold unlock';
const EXPIRED = 'keyhold: the credential is past its expiry; store a new one';
const registryThere =
  need('docker-registry', 'apt-get install docker-registry') &&
  need('htpasswd', 'apt-get install apache2-utils') &&
  need('skopeo', 'apt-get install skopeo');
const docker = need('docker', 'apt-get install docker.io');
const podman = need('podman', 'apt-get install podman');
const buildah = need('buildah', 'apt-get install buildah');

/** One that reads images, by the words of its own for each step. */
type Tool = {
  readonly program: string;
  /** Reads the image from the registry `host`, whatever it read before. */
  readonly fetch: (host: string) => readonly string[];
  /** Words between `login` or `logout` and what all of them have there. */
  readonly insecure: readonly string[];
};

const PLAIN = '--tls-verify=false';
const tools: Readonly<Record<'docker' | 'skopeo' | 'podman' | 'buildah', Tool>> = {
  docker: {
    program: 'docker',
    fetch: (host) => ['manifest', 'inspect', '--insecure', `${host}/lab/demo:one`],
    insecure: [],
  },
  skopeo: {
    program: 'skopeo',
    fetch: (host) => ['inspect', PLAIN, `docker://${host}/lab/demo:one`],
    insecure: [PLAIN],
  },
  podman: {
    program: 'podman',
    fetch: (host) => ['pull', '-q', PLAIN, `${host}/lab/demo:one`],
    insecure: [PLAIN],
  },
  buildah: {
    program: 'buildah',
    fetch: (host) => ['pull', '-q', '--policy=always', PLAIN, `${host}/lab/demo:one`],
    insecure: [PLAIN],
  },
};

describe.skipIf(!registryThere)('a real registry of images', () => {
  let registry: DockerRegistry;
  let person: Wired;
  /** The registry by another name, for which a token is held that is past its expiry. */
  let stale: string;

  /** Runs a tool with keyhold's names on PATH, as a login shell has them. */
  const run = (program: string, words: readonly string[], input = '') =>
    person.run(program, words, {
      input,
      expect: 'any',
      env: { PATH: `${person.home}/.local/bin:${person.env['PATH']}` },
    });
  const login = ({ program, insecure }: Tool) =>
    run(program, ['login', ...insecure, '-u', 'ada', '--password-stdin', registry.host], 'reg-EXAMPLE');
  const held = async () => (await person.held()).filter(({ host }) => host === registry.host);

  beforeAll(async () => {
    [registry, person] = await Promise.all([startDockerRegistry('reg-EXAMPLE'), aWiredPerson()]);
    stale = registry.host.replace('127.0.0.1', 'localhost');
    const kept = { protocol: 'https', host: stale, username: 'ada', password: 'reg-EXAMPLE' };
    await person.keepPast(kept);
    const config = join(person.home, '.config/containers');
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, 'policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
    writeFileSync(
      join(config, 'storage.conf'),
      `[storage]\ndriver = "vfs"\nrunroot = "${person.desk}/run"\ngraphroot = "${person.desk}/graph"\n`,
    );
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  /** Has nothing, logs in, fetches, is refused where keyhold cannot say, and logs out. */
  async function lives(tool: Tool): Promise<void> {
    const { program, fetch } = tool;
    const read = (host = registry.host) => run(program, fetch(host));
    const missing = await read();
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/unauthorized|no basic auth credentials/);

    expect(await login(tool)).toMatchObject({ code: 0 });
    expect(await held()).toMatchObject([{ protocol: 'https', username: 'ada' }]);
    expect(await filesWithTheToken()).toBe('');
    expect(await read()).toMatchObject({ code: 0, stderr: expect.not.stringContaining('keyhold') });

    const [locked, refused] = await person.whileLocked(async () => [await read(), await login(tool)] as const);
    for (const { code, stderr } of [locked, refused]) {
      expect(code).not.toBe(0);
      expect(stderr).toContain(LOCKED);
      expect(stderr).not.toContain('unauthorized');
    }
    expect((await read(stale)).stderr).toContain(EXPIRED);

    expect(await run(program, ['logout', registry.host])).toMatchObject({ code: 0 });
    expect(await held()).toEqual([]);
  }

  /** Who wrote the token down, as such a tool does without a helper. */
  const filesWithTheToken = async () => {
    const plain = Buffer.from('ada:reg-EXAMPLE').toString('base64');
    return (await person.run('grep', ['-rl', plain, person.home], { expect: 'any' })).stdout;
  };

  describe.skipIf(!docker)('what setup docker wrote', () => {
    const config = () => join(person.home, '.docker/config.json');
    beforeAll(() => {
      mkdirSync(join(person.home, '.docker'));
      writeFileSync(config(), '{ "HttpHeaders": {"X-Mine": "1"} }');
    });

    it.each([
      ['every registry', () => []],
      ['this one alone', () => ['--registry', registry.host]],
    ])('for %s lets docker fetch, and goes without a trace', async (_, options) => {
      await person.setup('docker', ...options());
      const kept = { protocol: 'https', host: registry.host, username: 'ada' };
      await person.keep({ ...kept, password: 'reg-EXAMPLE' });
      expect(await run('docker', tools.docker.fetch(registry.host))).toMatchObject({ code: 0, stderr: '' });
      const { before, after } = await person.undo('docker');
      expect(after).toEqual(before);
      await person.forget(kept);
    });

    it('is what docker lives by', async () => {
      await person.setup('docker');
      await lives(tools.docker);
      // docker itself has written the file anew by now.
      await person.undo('docker');
      expect(JSON.parse(readFileSync(config(), 'utf8'))).toEqual({ auths: {}, HttpHeaders: { 'X-Mine': '1' } });
    });
  });

  describe('what setup podman wrote', () => {
    beforeAll(() => person.setup('podman'));

    it('skopeo lives by it', () => lives(tools.skopeo));
    it.skipIf(!podman)('podman lives by it', () => lives(tools.podman));
    it.skipIf(!buildah)('buildah lives by it', () => lives(tools.buildah));

    it('goes without a trace', async () => {
      const { before, after } = await person.undo('podman');
      expect(after).toEqual(before);
    });
  });
});
