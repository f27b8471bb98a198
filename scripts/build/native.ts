import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runProgram } from '../../client/programs.ts';

/** How the thin client was built; `keyhold doctor` says what each costs. */
export type ClientKind = 'musl' | 'static' | 'dynamic' | 'typescript';

const warnings = ['-std=gnu99', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wno-error=unused-result'];

const thinSources = ['keyhold-helper.c', 'request.c', 'reach.c', 'places.c', 'answer.c', 'bytes.c'];

/**
 * Two segments in place of four: under a hypervisor the first touch of a page can cost 12 us, ten system calls' worth.
 * Nothing is given up by it: a static program that does not move is not protected by RELRO, which its loader would do.
 */
const fewPages = ['-fno-pie', '-no-pie', '-Wl,-z,noseparate-code', '-Wl,-z,norelro'];

/** Cheapest start first: musl needs a third of the time of a glibc program (glibc's start-up asks the CPU 43 times). */
const ways: readonly { readonly kind: ClientKind; readonly compiler: string; readonly flags: readonly string[] }[] = [
  { kind: 'musl', compiler: 'musl-gcc', flags: ['-Os', '-static', '-s', ...fewPages] },
  { kind: 'static', compiler: 'cc', flags: ['-O2', '-static', '-s', ...fewPages] },
  { kind: 'dynamic', compiler: 'cc', flags: ['-O2', '-s'] },
];

/**
 * Compiles the thin client in the best way that works here. Undefined where none does. Tests ask for one way with
 * `only`, and give a header of their own with `table`.
 */
export function compileClient(
  root: string,
  outfile: string,
  version: string,
  { only, table }: { readonly only?: ClientKind; readonly table?: string } = {},
): Exclude<ClientKind, 'typescript'> | undefined {
  const sources = thinSources.map((name) => join(root, 'client/thin', name));
  if (withoutCompiler()) return undefined;
  for (const { kind, compiler, flags } of ways) {
    if (kind === 'typescript' || (only !== undefined && kind !== only)) continue;
    const args = [...flags, ...warnings, `-DKEYHOLD_VERSION="${version}"`, '-o', outfile, ...sources];
    if (table !== undefined) args.unshift(`-DKEYHOLD_TABLE="${table}"`);
    if (compile(compiler, args, `${kind} thin client`)) return kind;
  }
  return undefined;
}

/** Compiles the addon against the headers that lie beside the node that runs this. True if it was built. */
export function compileAddon(root: string, outfile: string): boolean {
  const sources = ['addon.c', 'take.c'].map((name) => join(root, 'daemon/native', name));
  const headers = nodeHeaders(root);
  if (!sources.every(existsSync) || headers === undefined || withoutCompiler()) return false;
  const args = ['-shared', '-fPIC', '-fvisibility=hidden', '-O2', '-s', ...warnings];
  args.push(`-I${headers}`, '-o', outfile, ...sources);
  return compile('cc', args, 'addon');
}

function withoutCompiler(): boolean {
  return process.env['KEYHOLD_BUILD_NO_CC'] === '1';
}

/** A compiler that is there and fails on our source is a fault of ours: its words are shown, and the build goes on. */
function compile(compiler: string, args: readonly string[], what: string): boolean {
  const { status, stderr, error } = runProgram(compiler, args, { deadline: 60_000 });
  if (status === 0) return true;
  if (!error) console.error(`build: ${compiler} cannot make the ${what}:\n${stderr}`);
  return false;
}

function nodeHeaders(root: string): string | undefined {
  const modules = join(root, 'node_modules');
  const packaged = existsSync(modules)
    ? readdirSync(modules)
        .filter((name) => name.startsWith('node-linux-'))
        .map((name) => join(modules, name, 'include/node'))
    : [];
  const candidates = [...packaged, join(dirname(dirname(process.execPath)), 'include/node')];
  return candidates.find((folder) => existsSync(join(folder, 'node_api.h')));
}
