import { spawn } from 'node:child_process';

export type Executed = { readonly code: number; readonly stdout: string; readonly stderr: string };

type Options = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string | undefined;
  readonly input?: string | undefined;
  /** Exit codes that are no surprise; any other is thrown with what the program said. 0 without it; `any` for all. */
  readonly expect?: readonly number[] | 'any' | undefined;
};

/** Milliseconds that a program may take in a test. */
const DEADLINE = 60_000;

/** Runs a program to its end while this process goes on serving. Its environment is `env` and nothing else. */
export function execute(
  program: string,
  arguments_: readonly string[],
  { env, cwd, input = '', expect = [0] }: Options,
): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, arguments_, { env, cwd, timeout: DEADLINE });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const ended = code ?? 128;
      if (expect === 'any' || expect.includes(ended)) resolve({ code: ended, stdout, stderr });
      else reject(new Error(`${program} ${arguments_.join(' ')}: ${signal ?? `exit ${code}`}\n${stderr}${stdout}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
