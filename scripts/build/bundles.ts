import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { mainOf, startFile } from './start-file.ts';

type Bundle = {
  readonly name: string;
  readonly entry: string;
  readonly format: 'cjs' | 'esm';
  /** Whether a program starts here: then by a start file, which has compiled code for it. */
  readonly starts: boolean;
  /** Modules that it reads when it first uses them: most of its runs never do. */
  readonly late?: readonly string[];
  /** Without its comments and indents: a run reads the whole of it, and does little else. */
  readonly dense?: boolean;
};

/** They cost a command a fifth of its start; string-width, which only text beyond ASCII needs, as much again. */
const late = [
  'node:crypto',
  'node:http',
  'node:child_process',
  'node:os',
  'node:timers/promises',
  'node:tty',
  'string-width',
];

const bundles: readonly Bundle[] = [
  { name: 'agent', entry: 'daemon/main.ts', format: 'cjs', starts: true, late: ['node:child_process'] },
  { name: 'keyring-child', entry: 'daemon/backends/keyring/child.ts', format: 'cjs', starts: true },
  { name: 'upstream-child', entry: 'daemon/upstream/child.ts', format: 'cjs', starts: true },
  { name: 'admin', entry: 'daemon/admin/child.ts', format: 'cjs', starts: true },
  { name: 'events', entry: 'daemon/events/child.ts', format: 'cjs', starts: true },
  { name: 'cli', entry: 'client/main.ts', format: 'cjs', starts: true, late, dense: true },
  { name: 'helper', entry: 'client/thin/helper.ts', format: 'cjs', starts: true, late, dense: true },
  { name: 'client', entry: 'client/index.ts', format: 'esm', starts: false },
];

const SWAP_ATTEMPTS = 10;

/**
 * Bundles every entry that exists into plain JavaScript in `lib`: one file each, for start-up. A package that is
 * imported dynamically becomes a file of its own, so that it is not read before it is needed. Answers the names built.
 */
export async function buildBundles(root: string, lib: string): Promise<string[]> {
  const present = bundles.filter(({ entry }) => existsSync(join(root, entry)));
  const lazy = new Set<string>();
  await Promise.all(
    present.map(async ({ name, entry, format, starts, late = [], dense = false }) => {
      const outfile = join(lib, starts ? mainOf(name) : `${name}${format === 'cjs' ? '.cjs' : '.js'}`);
      await build({
        ...common(root, format),
        entryPoints: [join(root, entry)],
        outfile,
        minifyWhitespace: dense,
        plugins: [lazyPackages(lazy), lateModules(late)],
      });
      if (starts) {
        await refuseWide(outfile);
        await writeFile(join(lib, `${name}.cjs`), startFile(name));
      }
    }),
  );
  await Promise.all([...lazy].map((name) => buildPackage(root, lib, name)));
  return present.map(({ name }) => name);
}

/** Start files read a byte as a character. esbuild leaves comments and regular expressions as they are written. */
async function refuseWide(bundle: string): Promise<void> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are ASCII, too
  const wide = /[^\u0000-\u007f]/.exec(await readFile(bundle, 'utf8'));
  if (wide) throw new Error(`cannot build ${bundle}: ${wide[0]} in it is not ASCII; write it as an escape`);
}

/** The bundles that this checkout has no entry for. */
export function absentBundles(root: string): string[] {
  return bundles.filter(({ entry }) => !existsSync(join(root, entry))).map(({ entry }) => entry);
}

function common(root: string, format: 'cjs' | 'esm'): BuildOptions {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format,
    // Text beyond ASCII would make every character of a bundle take two bytes.
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
    // Its CommonJS form asks for its parts in a way that no bundler follows.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    // Native files of packages are copied beside the bundle, so that dist/ is whole without node_modules.
    loader: { '.node': 'copy' },
    assetNames: '[name]',
    ...(format === 'cjs'
      ? {
          supported: { 'dynamic-import': false },
          define: {
            'import.meta.url': 'bundleUrl',
            'import.meta.dirname': '__dirname',
            'import.meta.filename': '__filename',
          },
          banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
        }
      : {}),
  };
}

/** Leaves `await import('package')` in place, pointing to a file of its own beside the bundle. */
function lazyPackages(found: Set<string>): Plugin {
  return {
    name: 'lazy-packages',
    setup({ onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind !== 'dynamic-import' || path.startsWith('node:')) return undefined;
        found.add(path);
        return { path: `./${fileOf(path)}`, external: true };
      });
    },
  };
}

/** Puts an object of getters in the place of an `import … from`: the module is read when one of them is. */
function lateModules(names: readonly string[]): Plugin {
  return {
    name: 'late-modules',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[^./]/ }, ({ path, kind, resolveDir }) =>
        names.includes(path) && kind === 'import-statement'
          ? { path, namespace: 'late', pluginData: resolveDir }
          : undefined,
      );
      onLoad({ filter: /^/, namespace: 'late' }, async ({ path, pluginData }) => {
        const late = `require('${path}')`;
        if (!path.startsWith('node:')) {
          // A package that is one function, its default export.
          return { contents: `module.exports = (...given) => ${late}.default(...given);`, resolveDir: pluginData };
        }
        const members = Object.keys((await import(path)) as object).filter((name) => name !== 'default');
        const getters = members.map((name) => `get ${name}() { return ${late}.${name}; }`);
        return { contents: `module.exports = { ${getters.join(', ')} };`, loader: 'js' };
      });
    },
  };
}

/**
 * One package as a file of its own: its default export if it has one, else its names, which is what `import()` of a
 * CommonJS file gives back. As CommonJS, because node's loader of ES modules costs milliseconds and megabytes.
 */
async function buildPackage(root: string, lib: string, name: string): Promise<void> {
  await build({
    ...common(root, 'cjs'),
    stdin: {
      contents: `const all = require('${name}'); module.exports = all.default ?? all;`,
      resolveDir: root,
    },
    outfile: join(lib, fileOf(name)),
  });
}

function fileOf(packageName: string): string {
  return `${packageName.replace(/^@/, '').replaceAll('/', '-')}.cjs`;
}

/** Puts `fresh` in the place of `old`, which may exist; two builds at once may meet here. */
export async function swap(fresh: string, old: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (existsSync(old)) await rename(old, `${fresh}.old-${attempt}`);
      await rename(fresh, old);
      return;
    } catch (error) {
      if (attempt === SWAP_ATTEMPTS) throw error;
    }
  }
}
