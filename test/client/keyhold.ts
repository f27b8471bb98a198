import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, inject, onTestFinished } from 'vitest';
import { openHome } from '../fakes/scripted-agent.ts';
import { keyholdHere } from './in-process.ts';
import { checked } from './schemas.ts';

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

/** Commands that become another program, start one of ours, or do not end by themselves. */
const PROGRAMS = new Set(['exec', 'install', 'uninstall', 'start', 'restart', 'watch']);

/** The test files that have shown that the program does what `runCommand` does. */
const shown = new Set<string>();

/**
 * Runs `keyhold` with an environment of only what it needs. In files that may start programs the first runs as the program
 * that it is; the others run here (in-process.ts), because most of what a command takes is starting node. What is printed
 * with --json fits docs/schemas.
 */
export function keyhold(args: readonly string[], options: Options): Promise<Ended> {
  const { testPath = '' } = expect.getState();
  const isFirst = testPath.endsWith('.process.test.ts') && !shown.has(testPath);
  if (isFirst || options.third !== undefined || args.some((one) => PROGRAMS.has(one))) {
    shown.add(testPath);
    return keyholdProgram(args, options);
  }
  const { home, input, environment, path } = options;
  const own = path === undefined ? {} : { PATH: `${path}:${process.env['PATH']}` };
  return keyholdHere(args, { home, input, environment: { ...own, ...environment } });
}

/** Runs `keyhold` as a program of its own, for what only a process has: open files, signals, a working directory. */
export function keyholdProgram(args: readonly string[], options: Options): Promise<Ended> {
  return runProgram(process.execPath, [MAIN, ...args], options);
}

/** A command that is at work, and waits for somebody, say. */
export type Running = {
  /** What a pattern finds first on standard error, which is waited for. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Ended>;
  /** Asks it to end, as ctrl-C does. */
  interrupt(): void;
};

/** Runs `keyhold` and does not wait for its end. */
export function startKeyhold(args: readonly string[], options: Options): Running {
  return startProgram(process.execPath, [MAIN, ...args], options);
}

/** Runs any program the same way. */
export function runProgram(program: string, args: readonly string[], options: Options): Promise<Ended> {
  return startProgram(program, args, options).ended;
}

function startProgram(
  program: string,
  args: readonly string[],
  { home, input, third, environment, path }: Options,
): Running {
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
  const text = () => Buffer.concat(err).toString();
  child.stdout!.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr!.on('data', (bytes: Buffer) => err.push(bytes));
  // A command that refuses its input does not read it to the end.
  child.stdin?.on('error', () => {});
  if (input !== undefined) child.stdin!.end(input);
  const pipe = child.stdio[3] as NodeJS.WritableStream | null | undefined;
  pipe?.on('error', () => {});
  if (third !== undefined) pipe!.end(third);
  const command = commandOf(program, args);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(out).toString(), stderr: text() }));
  }).then((end) => (command ? checked(command, end) : end));
  // Whoever only waits for a word need not look at the end.
  ended.catch(() => {});
  const said = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(text());
        if (found) resolve(found);
      };
      child.stderr!.on('data', look);
      child.on('close', () => {
        look();
        reject(new Error(`${args.join(' ')} ended without ${pattern}: ${text()}`));
      });
      look();
    });
  return { said, ended, interrupt: () => void child.kill('SIGINT') };
}

/** The words of a command of `keyhold`, bundled or built; undefined for another program. */
function commandOf(program: string, args: readonly string[]): readonly string[] | undefined {
  if (basename(args[0] ?? '') === basename(MAIN)) return args.slice(1);
  return basename(program) === 'keyhold' ? args : undefined;
}

/** A KEYHOLD_HOME without an agent, for as long as the test runs. */
export function emptyHome(): string {
  const home = openHome();
  onTestFinished(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  return home;
}
