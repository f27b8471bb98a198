import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { openHome } from '../fakes/scripted-agent.ts';

/** The commands in one file (bundles.ts). */
export const MAIN = join(inject('bundles'), 'cli.cjs');

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
