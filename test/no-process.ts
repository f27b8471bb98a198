import { ChildProcess } from 'node:child_process';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { afterAll, expect } from 'vitest';

/**
 * Fails a test file that starts a program, unless it is named *.process.test.ts: `npm run check` leaves these out, because starting
 * programs takes most of the time of all tests.
 */

type Functions = Record<string, (...args: unknown[]) => unknown>;

const WATCH = Symbol.for('keyhold.test.started');
/** What the file at hand has started. Files of one worker follow each other in one process, which is watched once. */
const holder = globalThis as { [WATCH]?: string[] };
holder[WATCH] ??= watch();
const started = holder[WATCH];
started.length = 0;

afterAll(() => {
  const programs = [...new Set(started)];
  started.length = 0;
  if (programs.length > 0)
    throw new Error(`a test that starts programs stands in a file named *.process.test.ts; started: ${programs}`);
});

function watch(): string[] {
  const log: string[] = [];
  const note = (program: unknown) => log.push(`${program} (${expect.getState().currentTestName ?? 'outside a test'})`);
  const prototype = ChildProcess.prototype as unknown as Functions;
  const { spawn } = prototype;
  prototype['spawn'] = function (this: unknown, options: unknown) {
    note((options as { file: string }).file);
    return spawn!.call(this, options);
  };
  const module = createRequire(import.meta.url)('node:child_process') as Functions;
  for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
    const start = module[name]!;
    module[name] = (...args) => {
      note(args[0]);
      return start(...args);
    };
  }
  // Those who import a function by its name get the one that notes.
  syncBuiltinESMExports();
  return log;
}
