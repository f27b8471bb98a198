import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { whyUnsafePath } from './safe-paths.ts';

/** Where programs are looked for last: only root can write there. */
const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin'];
/** Milliseconds that a program may take where its caller gives no other bound. */
const DEADLINE = 3_000;
/** Bytes of output that are read where its caller gives no other bound. */
const OUTPUT_MAX = 1 << 20;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The one place where keyhold starts a program on its own account, other than its own parts. A name is looked up in the
 * folders of PATH, leaving out relative ones, the working directory and those that another user may write, and then in the
 * system's own; the program gets the same folders as its PATH. What a person names (`exec`'s command) is not started here.
 * docs/decisions/ has the reasons.
 */
export type RunOptions = {
  readonly environment?: Environment;
  readonly cwd?: string | undefined;
  readonly deadline?: number;
  readonly outputMax?: number;
  /** `latin1` gives one character for each byte, as texts on our wire have them. */
  readonly encoding?: 'utf8' | 'latin1';
  /** What the program reads from its standard input; nothing where it is left out. */
  readonly input?: string;
};

/** How a program ended. `status` is null where a signal or the deadline ended it, or it could not be started (`error`). */
export type Ended = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly error?: NodeJS.ErrnoException | undefined;
};

/** Runs a program to its end. `error` is ENOENT where none is found. */
export function runProgram(name: string, args: readonly string[], options: RunOptions = {}): Ended {
  const {
    environment = process.env,
    cwd,
    deadline = DEADLINE,
    outputMax = OUTPUT_MAX,
    encoding = 'utf8',
    input,
  } = options;
  const folders = searchFolders(environment, cwd);
  const program = findIn(folders, name);
  if (program === undefined) return { status: null, stdout: '', stderr: '', error: missing(name) };
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    env: { ...environment, PATH: folders.join(':') },
    cwd,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
    encoding,
    timeout: deadline,
    maxBuffer: outputMax,
  });
  return { status, stdout: stdout ?? '', stderr: stderr ?? '', error };
}

/** Starts a program and does not wait for it. Throws ENOENT where none is found. */
export function startProgram(name: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { env = process.env, cwd } = options;
  const folders = searchFolders(env, cwd === undefined ? undefined : String(cwd));
  const program = findIn(folders, name);
  if (program === undefined) throw missing(name);
  return spawn(program, args, { ...options, env: { ...env, PATH: folders.join(':') } });
}

/** The absolute path under which `runProgram` would start a program; undefined where none is found. */
export function findProgram(
  name: string,
  environment: Environment = process.env,
  cwd?: string | undefined,
): string | undefined {
  return findIn(searchFolders(environment, cwd), name);
}

/** The folders in which a program is looked for, in their order; each is absolute. */
export function searchFolders(environment: Environment, cwd?: string | undefined): string[] {
  const here = [realPath('.'), cwd === undefined ? undefined : realPath(cwd)];
  const given = (environment['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  const safe = given.filter((folder) => {
    const real = realPath(folder);
    return real !== undefined && !here.includes(real) && whyUnsafePath(real) === undefined;
  });
  return [...new Set([...safe, ...SYSTEM_FOLDERS])];
}

/** In the system's folders all is root's, also where a user namespace shows root as another user. */
function findIn(folders: readonly string[], name: string): string | undefined {
  const folder = folders.find((one) => {
    const path = join(one, name);
    return isProgram(path) && (SYSTEM_FOLDERS.includes(one) || whyUnsafePath(path) === undefined);
  });
  return folder && join(folder, name);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function missing(name: string): NodeJS.ErrnoException {
  const rule = 'no folder of PATH that only you and root can write has it, and neither has the system';
  return Object.assign(new Error(`cannot run ${name}: ${rule}`), { code: 'ENOENT' });
}
