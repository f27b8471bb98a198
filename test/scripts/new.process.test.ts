import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Executed, execute } from '../execute.ts';
import { temporaryFolder } from '../temporary.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = ['protocol', 'platform', 'client', 'daemon', 'scripts', 'test', 'examples', 'CONTRIBUTING.md'];
const SETTINGS = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'biome.json', '.gitignore'];

/** Two names: one that comes first in the index, one whose file and variable differ. */
const NAMES = ['aaa-tool', 'zebra'];

/** Plays the transcript of the copy, as test/transcripts/transcripts.test.ts does, and tells what went otherwise. */
const PLAY = `
import { FakeClock } from './test/fakes/clock.ts';
import { FakeStore } from './test/fakes/store.ts';
import { play, scenes } from './test/transcripts/play.ts';
import { inProcess } from './test/transcripts/wires.ts';
const told = [];
for (const scene of scenes().filter(({ file }) => file === 'zebra.txt')) {
  const clock = new FakeClock();
  const { handler } = new FakeStore(clock);
  const went = await play(scene, { handler, clock, profiles() {} }, inProcess());
  const without = (lines, others) => lines.filter((line) => !others.includes(line));
  told.push({ title: scene.title, missing: without(scene.lines, went), instead: without(went, scene.lines) });
}
console.log(JSON.stringify(told));
`;

type Assertion = { readonly fullName: string; readonly status: string };

describe('npm run new -- adapter', () => {
  const folder = temporaryFolder('new');
  const copy = folder.path;
  const node = (...words: string[]): Promise<Executed> =>
    execute(process.execPath, words, { cwd: copy, env: { PATH: process.env['PATH'], HOME: copy }, expect: 'any' });
  const tool = (path: string, ...words: string[]) => node(join(ROOT, 'node_modules', path), ...words);
  const make = (...words: string[]) => node('scripts/new.ts', ...words);

  beforeAll(async () => {
    for (const path of [...COPIED, ...SETTINGS]) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const name of NAMES) expect(await make('adapter', name)).toMatchObject({ code: 0, stderr: '' });
  });
  afterAll(() => folder.remove());

  it('writes what CONTRIBUTING.md says', () => {
    const contributing = readFileSync(join(copy, 'CONTRIBUTING.md'), 'utf8');
    const [section = ''] = /^## Add an adapter.*?(?=^## )/ms.exec(contributing) ?? [];
    expect(section).toContain('`npm run new -- adapter TOOL`');
    const paths = [...section.matchAll(/`([\w./]*TOOL[\w./]*)`/g)].map(([, path]) => path!);
    expect(paths).toHaveLength(3);
    for (const name of NAMES) {
      for (const path of paths) expect(existsSync(join(copy, path.replace('TOOL', name))), path).toBe(true);
    }
    const index = readFileSync(join(copy, 'protocol/tools/index.ts'), 'utf8');
    expect(index).toContain("import { aaaTool } from './aaa-tool.ts';");
    expect(index).toContain("import { zebra } from './zebra.ts';");
  });

  it('is in order by type and form before a line of it is changed', { timeout: 60_000 }, async () => {
    const written = NAMES.flatMap((name) => [`protocol/tools/${name}.ts`, `test/live/tools/${name}.test.ts`]);
    // What was written and what it needs: the rest is what it was.
    const project = { extends: './tsconfig.json', include: [], files: ['protocol/tools/index.ts', ...written] };
    writeFileSync(join(copy, 'tsconfig.new.json'), JSON.stringify(project));
    expect(await tool('typescript/bin/tsc', '-p', 'tsconfig.new.json')).toMatchObject({ stdout: '', code: 0 });
    const checked = await tool('@biomejs/biome/bin/biome', 'check', 'protocol/tools/index.ts', ...written);
    expect(checked.stdout + checked.stderr).not.toMatch(/error|Found [1-9]/);
    expect(checked.code).toBe(0);
  });

  it('has a transcript that fails, and shows what is still to do; the rest of it is true already', async () => {
    const { stdout, stderr } = await node('--input-type=module-typescript', '--eval', PLAY);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      {
        title: "what is held is given in zebra's language",
        missing: ['< TODO: what zebra must read here'],
        instead: ['! keyhold: TODO: the answer', '? 2'],
      },
      { title: 'what is not held is a miss, asked by an argument or on standard input', missing: [], instead: [] },
      { title: 'what is stored is given, until it is erased', missing: [], instead: [] },
      { title: 'locked is not the same as not found', missing: [], instead: [] },
    ]);
  });

  it('is in the contract of all adapters by its line in the index, where only the answer is still to do', {
    timeout: 60_000,
  }, async () => {
    const args = ['run', '--project', 'unit', 'test/contracts/adapters.test.ts', '-t', 'zebra', '--reporter', 'json'];
    const file = join(copy, 'results.json');
    await tool('vitest/vitest.mjs', ...args, '--outputFile', file);
    const { testResults } = JSON.parse(readFileSync(file, 'utf8')) as {
      testResults: { assertionResults: Assertion[] }[];
    };
    const ran = testResults.flatMap(({ assertionResults }) => assertionResults);
    const titles = (status: string) => ran.filter((one) => one.status === status).map(({ fullName }) => fullName);
    expect(titles('passed').length).toBeGreaterThan(40);
    expect(titles('failed')).toEqual([
      'the adapter zebra asked by ["get","https://h"] gives what is held, and says nothing beside',
      'the adapter zebra asked by ["get"] gives what is held, and says nothing beside',
    ]);
  });

  it('overwrites nothing, and takes no name that could be a path', async () => {
    const again = await make('adapter', 'zebra');
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toContain('protocol/tools/zebra.ts');
    for (const words of [
      ['adapter', '../evil'],
      ['backend', 'x'],
    ]) {
      expect(await make(...words)).toMatchObject({ code: 2, stdout: '' });
    }
  });
});
