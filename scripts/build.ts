import { spawnSync } from 'node:child_process';
import { copyFile, link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adapters } from '../protocol/tools/index.ts';
import { absentBundles, buildBundles, swap } from './build/bundles.ts';
import { agent, cli, helper, writeLauncher } from './build/launchers.ts';
import { type ClientKind, compileAddon, compileClient } from './build/native.ts';
import { compileServices } from './build/services.ts';
import { linkNames, thinTable } from './build/thin-table.ts';
import { warm } from './build/warm.ts';

/** `node scripts/build.ts [--if-needed]`: everything that runs, into dist/. docs/building.md says what lies where. */

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.stamp');
const sources = ['protocol', 'platform', 'client', 'daemon', 'scripts', 'package.json', 'package-lock.json'];

const ifNeeded = process.argv.includes('--if-needed');
if (!(ifNeeded && (await isFresh()))) await buildAll();

async function buildAll(): Promise<void> {
  const began = Date.now();
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const fresh = join(dist, `.new-${process.pid}`);
  const [bin, lib] = [join(fresh, 'bin'), join(fresh, 'lib')];
  await mkdir(bin, { recursive: true });
  await mkdir(lib, { recursive: true });
  try {
    await writeFile(join(root, 'client/thin/table.generated.h'), thinTable(adapters));
    const built = await buildBundles(root, lib);
    await writeFile(join(lib, 'services.json'), await compileServices(root));
    await writeLauncher(bin, agent);
    await writeLauncher(bin, cli);
    const client = await buildClient(bin, version, built);
    const addon = compileAddon(root, join(lib, 'keyhold.node'));
    await writeFile(join(lib, 'build.json'), `${JSON.stringify({ client, addon, version }, undefined, 2)}\n`);
    await warm(fresh, built);
    if (!ifNeeded) buildTypes();

    await swap(lib, join(dist, 'lib'));
    await swap(bin, join(dist, 'bin'));
    await writeFile(stamp, stampText());
    for (const entry of absentBundles(root)) console.log(`build: skipped ${entry}, which is not there`);
    console.log(
      `build: dist/ with ${built.join(', ')}; thin client: ${client}; addon: ${addon ? 'yes' : 'no'}; ${Date.now() - began} ms`,
    );
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The thin client and its other names, as links that also survive being packed. */
async function buildClient(bin: string, version: string, built: readonly string[]): Promise<ClientKind | undefined> {
  const program = join(bin, helper.program);
  let kind: ClientKind | undefined = compileClient(root, program, version);
  if (kind === undefined && built.includes('helper')) {
    await writeLauncher(bin, helper);
    kind = 'typescript';
  }
  if (kind === undefined) return undefined;
  for (const name of linkNames(adapters)) {
    if (name === helper.program) continue;
    await link(program, join(bin, name)).catch(() => copyFile(program, join(bin, name)));
  }
  return kind;
}

/** Declarations of the library, for who imports it; a failure is `npm run check`'s to show. */
function buildTypes(): void {
  const project = join(root, 'scripts/build/tsconfig.types.json');
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', project],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  if (status !== 0) console.error(`build: the type declarations have faults:\n${stdout}`);
}

function stampText(): string {
  return `compiler=${process.env['KEYHOLD_BUILD_NO_CC'] === '1' ? 'no' : 'yes'}\n`;
}

/** Whether nothing that goes into dist/ is newer than it. */
async function isFresh(): Promise<boolean> {
  try {
    if ((await readFile(stamp, 'utf8')) !== stampText()) return false;
    const { mtimeMs } = await stat(stamp);
    for (const source of sources) if ((await newest(join(root, source))) > mtimeMs) return false;
    return true;
  } catch {
    return false;
  }
}

/** When anything below `path` last changed; a folder's own time tells of files that are gone. */
async function newest(path: string): Promise<number> {
  const { mtimeMs } = await stat(path);
  if (!/\.[a-z0-9]+$/.test(path)) {
    const entries = await readdir(path).catch(() => []);
    return Math.max(mtimeMs, ...(await Promise.all(entries.map((entry) => newest(join(path, entry))))));
  }
  return mtimeMs;
}
