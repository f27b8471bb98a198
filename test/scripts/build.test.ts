import { access, cp, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapters } from '../../protocol/tools/index.ts';
import { linkNames } from '../../scripts/build/thin-table.ts';
import { runToEnd } from '../fakes/thin-clients.ts';

const root = join(import.meta.dirname, '../..');
const parts = [
  'protocol',
  'platform',
  'client',
  'daemon',
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
];

describe('the build', () => {
  let copy: string;
  const build = async (args: string[] = [], env: Record<string, string> = {}) => {
    const script = join(copy, 'scripts/build.ts');
    const ran = await runToEnd(process.execPath, { args: [script, ...args], env: { HOME: copy, ...env }, input: '' });
    expect(ran.code).toBe(0);
    return ran;
  };
  const told = async () => JSON.parse(await readFile(join(copy, 'dist/lib/build.json'), 'utf8')) as { client: string };

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'keyhold-build-'));
    for (const part of parts) await cp(join(root, part), join(copy, part), { recursive: true });
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
    await build();
  });
  afterAll(() => rm(copy, { recursive: true }));

  it('puts every program into dist/bin, by every name', async () => {
    const names = await readdir(join(copy, 'dist/bin'));
    expect(names.sort()).toEqual(
      [...new Set(['keyhold', 'keyhold-agent', 'keyhold-helper', ...linkNames(adapters)])].sort(),
    );
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const { stdout } = await runToEnd(join(copy, 'dist/bin/keyhold-helper'), { args: ['--version'], input: '' });
    expect(stdout).toBe(`keyhold-helper ${version}\n`);
  });

  it('puts there what package.json names, and package.json names them all', async () => {
    const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> };
    const names = await readdir(join(copy, 'dist/bin'));
    expect(bin).toEqual(Object.fromEntries(names.map((name) => [name, `dist/bin/${name}`])));
  });

  it('leaves nothing of itself behind', async () => {
    expect((await readdir(join(copy, 'dist'))).filter((name) => name.startsWith('.'))).toEqual(['.stamp']);
  });

  it('keeps the code of programs that start often, and they take it', async () => {
    const kept = () => readdir(join(copy, 'dist/lib/code-cache')).then((names) => names.sort());
    expect(await kept()).toEqual(['agent.code', 'cli.code']);
    for (const program of ['keyhold', 'keyhold-agent']) {
      const ran = await runToEnd(join(copy, 'dist/bin', program), { args: ['--version'], input: '' });
      expect(ran).toMatchObject({ code: 0, stderr: '' });
    }
    // What does not take it would have had node's cache make a folder of its own.
    expect(await kept()).toEqual(['agent.code', 'cli.code']);
  });

  it('does without kept code, and with what another V8 has kept', async () => {
    const code = join(copy, 'dist/lib/code-cache/cli.code');
    const bytes = await readFile(code);
    const { stdout: usual } = await runToEnd(join(copy, 'dist/bin/keyhold'), { args: ['--version'], input: '' });
    for (const other of [undefined, Buffer.alloc(0), Buffer.from(bytes).fill(0, 0, 16), bytes.subarray(0, 1_000)]) {
      await (other ? writeFile(code, other) : rm(code));
      const ran = await runToEnd(join(copy, 'dist/bin/keyhold'), { args: ['--version'], input: '' });
      expect(ran).toMatchObject({ code: 0, stdout: usual, stderr: '' });
    }
    await writeFile(code, bytes);
  });

  it('is not done again when nothing has changed, and is when something has', async () => {
    const stamp = () => stat(join(copy, 'dist/.stamp')).then(({ mtimeMs }) => mtimeMs);
    const first = await stamp();
    expect((await build(['--if-needed'])).stdout).toBe('');
    expect(await stamp()).toBe(first);
    const later = new Date(first + 2_000);
    await utimes(join(copy, 'protocol/limits.ts'), later, later);
    expect((await build(['--if-needed'])).stdout).toContain('build: dist/');
  });

  it('needs no compiler', async () => {
    const { stdout } = await build([], { KEYHOLD_BUILD_NO_CC: '1' });
    expect(stdout).toContain('thin client: typescript; addon: no');
    expect(await told()).toMatchObject({ client: 'typescript', addon: false });
    await expect(access(join(copy, 'dist/lib/keyhold.node'))).rejects.toThrow();
    const helper = await runToEnd(join(copy, 'dist/bin/git-credential-keyhold'), {
      args: ['get'],
      input: 'protocol=https\nhost=example.com\n\n',
      env: { KEYHOLD_HOME: join(copy, 'nowhere'), KEYHOLD_NO_AUTOSTART: '1' },
    });
    expect(helper).toMatchObject({ stdout: '', code: 0 });
    expect(helper.stderr).toMatch(/^keyhold: no agent answers/);
  });
});
