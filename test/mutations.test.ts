import { execFile } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './temporary.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
/** What a change of the sources is checked with; everything else of the tree is not needed for it. */
const COPIED = ['protocol', 'platform', 'client', 'daemon', 'scripts', 'test', 'examples', 'docs', 'systemd', 'dist'];
const FILES = ['package.json', 'tsconfig.json', 'vitest.config.ts', 'CONTRIBUTING.md', 'README.md'];

let tree: string;
let remove: () => void;

beforeAll(() => {
  ({ path: tree, remove } = temporaryFolder('mutations'));
  for (const name of [...COPIED, ...FILES]) cpSync(join(ROOT, name), join(tree, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => remove());

/** Runs a program of the tree's node_modules in the copy. Answers its exit code and all that it said. */
async function program(name: string, ...args: string[]): Promise<{ code: number; said: string }> {
  const env = { ...process.env, NO_COLOR: '1', CI: '' };
  try {
    const { stdout } = await run(join(tree, 'node_modules/.bin', name), args, { cwd: tree, env, timeout: 80_000 });
    return { code: 0, said: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, said: `${stdout}${stderr}` };
  }
}

/** Changes a file of the copy while `check` runs. */
async function changed(file: string, change: (text: string) => string, check: () => Promise<void>): Promise<void> {
  const path = join(tree, file);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  expect(after, `the change of ${file} changes nothing`).not.toBe(before);
  writeFileSync(path, after);
  try {
    await check();
  } finally {
    writeFileSync(path, before);
  }
}

describe('a mistake that a newcomer may make', () => {
  it('an action without a row does not compile, nor a row without its action', async () => {
    const withoutRow = (text: string) => text.replace(/^ {2}lock: \{[^}]*\},\n/m, '');
    await changed('protocol/wire/actions.ts', withoutRow, async () => {
      const { code, said } = await program('tsc');
      expect(code).not.toBe(0);
      expect(said).toMatch(/daemon\/actions\/lock\.ts.*'"lock"'|daemon\/actions\/index\.ts.*lock/s);
    });
    await changed(
      'daemon/actions/index.ts',
      (text) => text.replace(/^ {2}lock,\n/m, ''),
      async () => {
        const { code, said } = await program('tsc');
        expect(code).not.toBe(0);
        expect(said).toMatch(/daemon\/actions\/index\.ts.*lock/s);
      },
    );
  });

  it('an action that reads an attribute which its row does not name does not compile', async () => {
    const readsMore = (text: string) =>
      text.replace("attributes.text('interactive')", "attributes.text('interactively')");
    await changed('daemon/actions/unlock.ts', readsMore, async () => {
      const { code, said } = await program('tsc');
      expect(code).not.toBe(0);
      expect(said).toMatch(/daemon\/actions\/unlock\.ts.*interactively/s);
    });
  });

  it('a function that reads a value without release fails the architecture test', async () => {
    const leaks = (text: string) => `${text}\nexport const leaked = ({ inMemory }: Entry) => inMemory;\n`;
    await changed('daemon/credentials/choice.ts', leaks, async () => {
      const { code, said } = await program('vitest', 'run', '--project', 'unit', 'test/architecture.test.ts');
      expect(code).not.toBe(0);
      expect(said).toContain('daemon/credentials/choice.ts');
      expect(said).toContain('is release: nothing else takes a value out of what is held');
    });
  });

  it('an adapter that answers a failure as a plain miss fails the contract of adapters', async () => {
    const asMiss = (text: string) =>
      text.replace("if (reply.status !== 'ok' && reply.status !== 'not-found')", 'if (false)');
    for (const file of ['protocol/tools/bazel.ts', 'protocol/tools/terraform.ts']) {
      await changed(file, asMiss, async () => {
        const { code, said } = await program('vitest', 'run', '--project', 'unit', 'test/contracts/adapters.test.ts');
        expect(code).not.toBe(0);
        expect(said).toContain('never tells locked as a plain miss');
        expect(said).toContain('never tells a keyring that hangs as a plain miss');
      });
    }
  });

  it('an adapter without a probe does not compile', async () => {
    await changed(
      'protocol/tools/bazel.ts',
      (text) => text.replace('  probe: {', '  prove: {'),
      async () => {
        const { code, said } = await program('tsc');
        expect(code).not.toBe(0);
        expect(said).toMatch(/protocol\/tools\/bazel\.ts.*prove/s);
      },
    );
  });

  it('a line of the log by another name breaks nothing', async () => {
    const renamed = (text: string) => text.replace("stored: ['info', 'stored']", "stored: ['info', 'kept']");
    await changed('daemon/log-lines.ts', renamed, async () => {
      expect(await program('tsc')).toMatchObject({ code: 0 });
      const tests = ['test/daemon/events/herald.test.ts', 'test/daemon/credentials/waiters.test.ts'];
      const { code, said } = await program('vitest', 'run', '--project', 'unit', ...tests);
      expect(code, said).toBe(0);
    });
  });
});
