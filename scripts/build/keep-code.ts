import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import v8 from 'node:v8';
import { Script } from 'node:vm';
import type { runCommand } from '../../client/cli/program.ts';
import { keptCodeOf, mainOf, wrapped } from './start-file.ts';

/**
 * `node FLAGS keep-code.ts LIB NAME [WORDS…]`: runs a program of `LIB` with the flags of its launcher, and keeps the code
 * that the run has compiled. `WORDS` are its arguments; what stands behind a `,` is a further command of the same run.
 */

const [lib, name, ...words] = process.argv.slice(2) as [string, string, ...string[]];
const [first = [], ...others] = words
  .join(' ')
  .split(',')
  .map((command) => command.trim().split(' ').filter(Boolean));

const filename = join(lib, mainOf(name));
const script = new Script(wrapped(readFileSync(filename, 'latin1')), { filename });
let isKept = false;
const keep = () => {
  if (isKept) return;
  isKept = true;
  const kept = join(lib, keptCodeOf(name));
  writeFileSync(kept, script.createCachedData());
  // The programs close their umask; this is for whoever may read the bundle.
  chmodSync(kept, 0o644);
};
// Before an agent hears of it: of how it ends, no start has any use.
process.on('SIGTERM', keep);
process.on('exit', keep);
// V8 takes code under the flags that it was kept under: these are the launcher's, and not what the agent settles in with.
v8.setFlagsFromString = () => {};

process.argv = [process.execPath, filename, ...first];
const program = { exports: {} as { readonly runCommand?: typeof runCommand } };
script.runInThisContext()(program.exports, createRequire(filename), program, filename, lib);
for (const command of others) await program.exports.runCommand?.(command);
