import { spawn } from 'node:child_process';
import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { helper, writeLauncher } from '../../scripts/build/launchers.ts';
import { compileClient } from '../../scripts/build/native.ts';
import { linkNames, thinTable } from '../../scripts/build/thin-table.ts';
import { adapters } from './adapters.ts';

const root = join(import.meta.dirname, '../..');

export type ThinKind = 'musl' | 'dynamic' | 'typescript';

/** Builds one form of the thin client below `folder`, with the tests' table. Answers its bin/, or undefined. */
export async function buildThinClient(folder: string, kind: ThinKind): Promise<string | undefined> {
  const bin = join(folder, 'bin');
  const program = join(bin, helper.program);
  await mkdir(bin, { recursive: true });
  if (kind === 'typescript') await buildTypeScript(folder, bin);
  else {
    const table = join(folder, 'table.h');
    await writeFile(table, thinTable(adapters));
    if (!compileClient(root, program, '1.2.3', { only: kind, table })) return undefined;
  }
  for (const name of [...linkNames(adapters), 'stranger', 'talk@here']) {
    if (name !== helper.program) await link(program, join(bin, name));
  }
  return bin;
}

async function buildTypeScript(folder: string, bin: string): Promise<void> {
  const ourTable: Plugin = {
    name: 'our-table',
    setup({ onResolve }) {
      onResolve({ filter: /tools\/index\.ts$/ }, ({ importer }) =>
        importer.includes('/client/') ? { path: join(import.meta.dirname, 'adapters.ts') } : undefined,
      );
    },
  };
  await build({
    entryPoints: [join(root, 'client/thin/helper.ts')],
    outfile: join(folder, 'lib', helper.bundle),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    plugins: [ourTable],
  });
  await writeLauncher(bin, helper);
  await symlink(process.execPath, join(folder, 'node'));
}

export type Ran = {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | null;
  /** Milliseconds until its output was closed and it had ended. */
  readonly took: number;
};

export type RunOptions = {
  readonly args?: readonly string[];
  /** Undefined: nothing comes, and the end does not come either. */
  readonly input?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** Runs a program to its end, with `env` and nothing else around it. */
export function runToEnd(program: string, { args = [], input, env = {}, cwd = '/' }: RunOptions): Promise<Ran> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { PATH: '/usr/bin:/bin', ...env } });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      resolve({ stdout, stderr, code, signal, took: performance.now() - began });
    });
  });
}
