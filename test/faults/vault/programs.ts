import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { inject } from 'vitest';

const made = new Map<string, string>();

/**
 * A program of these tests in one file, made when it is first asked for: it starts in two fifths of the time that its
 * sources take, and is started hundreds of times. `source` is a file beside this one, or a program's text.
 */
export function programOf(source: string): string {
  const known = made.get(source);
  if (known !== undefined) return known;
  // Beside the bundles, which go when the whole run is over.
  const outfile = join(inject('bundles'), `program-${process.pid}-${made.size}.mjs`);
  const isFile = source.endsWith('.ts');
  const entry = isFile
    ? { entryPoints: [join(import.meta.dirname, source)] }
    : { stdin: { contents: source, resolveDir: import.meta.dirname, loader: 'ts' as const } };
  buildSync({ ...entry, bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'error', outfile });
  made.set(source, outfile);
  return outfile;
}
