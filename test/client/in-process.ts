import { Readable } from 'node:stream';
import type { Ended } from './keyhold.ts';
import { checked } from './schemas.ts';

export type InProcess = {
  readonly home: string;
  /** The working directory. @default home */
  readonly cwd?: string | undefined;
  /** Standard input; without it there is none. */
  readonly input?: string | Buffer | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
};

/** The mask of every command (client/umask.ts). */
const STRICT = 0o077;

/** One after the other: a command has the process's environment, folder and streams to itself. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs `keyhold` without a process of its own, in an environment of only what it needs: a command takes milliseconds then, where
 * starting node takes most of a second on a busy machine. That the program does the same is what other tests show. What it
 * prints with --json fits docs/schemas, or the run fails.
 */
export function keyholdHere(args: readonly string[], options: InProcess): Promise<Ended> {
  const run = turn.then(() => runHere(args, options)).then((ended) => checked(args, ended));
  turn = run.catch(() => undefined);
  return run;
}

async function runHere(args: readonly string[], { home, cwd = home, input = '', environment }: InProcess) {
  const mask = process.umask();
  // Not before it is wanted: whoever only starts programs need not load every command.
  const { runCommand } = await import('../../client/cli/program.ts');
  const [before, folder] = [{ ...process.env }, process.cwd()];
  const [stdin, out, err] = [
    Object.getOwnPropertyDescriptor(process, 'stdin')!,
    listenTo('stdout'),
    listenTo('stderr'),
  ];
  const { PATH } = before;
  const own = { HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', GIT_CONFIG_NOSYSTEM: '1', TZ: 'UTC' };
  try {
    become({ ...(PATH !== undefined && { PATH }), ...own, ...environment });
    process.chdir(cwd);
    process.umask(STRICT);
    Object.defineProperty(process, 'stdin', {
      value: Readable.from(input.length === 0 ? [] : [Buffer.from(input)]),
      configurable: true,
    });
    const code = await runCommand(args);
    return { code, stdout: out.text(), stderr: err.text() };
  } finally {
    Object.defineProperty(process, 'stdin', stdin);
    out.restore();
    err.restore();
    process.chdir(folder);
    process.umask(mask);
    become(before);
  }
}

function become(environment: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
}

/** What is written goes into a text of ours, copied at once: what holds a secret is wiped behind the write. */
function listenTo(name: 'stdout' | 'stderr'): { readonly text: () => string; readonly restore: () => void } {
  const stream = process[name];
  const { write } = stream;
  const pieces: Buffer[] = [];
  stream.write = ((piece: string | Uint8Array, encoding?: unknown, done?: unknown) => {
    pieces.push(Buffer.from(piece as string));
    const written = [encoding, done].find((one) => typeof one === 'function') as (() => void) | undefined;
    if (written) setImmediate(written);
    return true;
  }) as typeof stream.write;
  return {
    text: () => Buffer.concat(pieces).toString(),
    restore: () => {
      stream.write = write;
    },
  };
}
