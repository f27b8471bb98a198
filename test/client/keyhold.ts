import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, onTestFinished } from 'vitest';
import { compileServices } from '../../scripts/build/services.ts';
import { openHome } from '../fakes/scripted-agent.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyhold-cli-bundle-'));
/** The commands in one file, made anew for each suite: that starts several times as fast as their sources. */
export const MAIN = join(folder, 'main.mjs');
buildSync({
  entryPoints: [join(import.meta.dirname, '../../client/main.ts')],
  outfile: MAIN,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
writeFileSync(join(folder, 'services.json'), await compileServices(join(import.meta.dirname, '../..')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Milliseconds that one command may take before it is killed. */
const DEADLINE = 20_000;

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
type Options = {
  readonly home: string;
  /** Standard input; without it there is none (/dev/null). */
  readonly input?: string | Buffer;
  /** What to give as file descriptor 3. */
  readonly third?: string;
  readonly environment?: Record<string, string>;
  /** A folder that stands first on PATH. */
  readonly path?: string;
};

/** Runs `keyhold` as a program of its own, with an environment of only what it needs. */
export function keyhold(args: readonly string[], options: Options): Promise<Ended> {
  return runProgram(process.execPath, [MAIN, ...args], options);
}

/** Runs any program the same way. */
export function runProgram(
  program: string,
  args: readonly string[],
  { home, input, third, environment, path }: Options,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: home,
      env: {
        PATH: path === undefined ? process.env['PATH'] : `${path}:${process.env['PATH']}`,
        HOME: home,
        KEYHOLD_HOME: home,
        KEYHOLD_NO_AUTOSTART: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        TZ: 'UTC',
        ...environment,
      },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', third === undefined ? 'ignore' : 'pipe'],
      timeout: DEADLINE,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout!.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr!.on('data', (bytes: Buffer) => err.push(bytes));
    // A command that refuses its input does not read it to the end.
    child.stdin?.on('error', () => {});
    if (input !== undefined) child.stdin!.end(input);
    const pipe = child.stdio[3] as NodeJS.WritableStream | null | undefined;
    pipe?.on('error', () => {});
    if (third !== undefined) pipe!.end(third);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** A KEYHOLD_HOME without an agent, for as long as the test runs. */
export function emptyHome(): string {
  const home = openHome();
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}
