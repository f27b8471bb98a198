import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { need } from '../../need.ts';
import type { Person } from '../person.ts';

/** Where Debian keeps pip. */
const PACKAGES = '/usr/lib/python3/dist-packages';
const MODULES = join(import.meta.dirname, '../../../node_modules');
/** The three that differ: how a helper's answer and its failure are taken. */
export const pnpmVersions: Readonly<Record<string, readonly string[]>> = {
  'pnpm 9': [process.execPath, join(MODULES, 'pnpm9/bin/pnpm.cjs')],
  'pnpm 10': [process.execPath, join(MODULES, 'pnpm10/bin/pnpm.cjs')],
  'pnpm 12': [join(MODULES, `@pnpm/exe.linux-${process.arch}/pnpm`)],
};

/** The folder of the toolchain itself: the programs of rustup look for their own home. */
export function findToolchain(): string | undefined {
  const options = { encoding: 'utf8', timeout: 20_000 } as const;
  const sysroot = spawnSync('rustc', ['--print', 'sysroot'], options).stdout?.trim();
  const version = sysroot && spawnSync(join(sysroot, 'bin/cargo'), ['--version'], options).stdout;
  const [, minor] = /^cargo 1\.(\d+)/.exec(version || '') ?? [];
  if (minor !== undefined && Number(minor) >= 74) return sysroot;
  const found = version ? `only ${version.trim()} is here` : 'it is not here';
  console.warn(`skipped: cargo from 1.74 on is missing, ${found}; get it by: https://rustup.rs (Debian's is older)`);
  return undefined;
}

/** Whether Debian's pip is there, as `need` has it. */
export function hasPip(): boolean {
  if (!need('python3', 'apt-get install python3')) return false;
  if (existsSync(join(PACKAGES, 'pip'))) return true;
  const message = 'pip is missing; get it by: apt-get install python3-pip';
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`skipped: ${message}`);
  return false;
}

/** Whether Debian's Python has a module, as `need` has it. */
export function hasPythonModule(module: string, howToGet: string): boolean {
  const found = spawnSync('/usr/bin/python3', ['-c', `import ${module}`], { timeout: 20_000 });
  if (found.status === 0) return true;
  const message = `Python's module ${module} is missing; get it by: ${howToGet}`;
  if (process.env['CI'] === 'true') throw new Error(message);
  console.warn(`skipped: ${message}`);
  return false;
}

/** Makes an environment below the desk, `venv`, that has Debian's pip, and no keyring library, which pip would ask first. */
export async function aVirtualPip(person: Person): Promise<void> {
  await person.run('/usr/bin/python3', ['-m', 'venv', '--without-pip', 'venv']);
  const [version] = readdirSync(join(person.desk, 'venv/lib'));
  symlinkSync(join(PACKAGES, 'pip'), join(person.desk, 'venv/lib', version!, 'site-packages/pip'));
}
