import { accessSync, closeSync, constants, openSync, readFileSync, readSync, statSync } from 'node:fs';

/** Where programs are looked for without PATH (confstr(3), _CS_PATH). */
const PATH = '/bin:/usr/bin';
/** Bytes of a program's beginning that say what it is; of a script, its first line (execve(2), BINPRM_BUF_SIZE). */
const HEAD = 256;
const ELF = '\x7fELF';
/** Longest argument or variable (execve(2), MAX_ARG_STRLEN), and the least that Linux grants all of them together. */
const STRING_MAX = 131_072;
const TOTAL_LEAST = 131_072;
const TOTAL_MOST = 6_291_456;

/** A program to be executed, or why none can be, as env(1) tells it: 126 found and not executable, 127 not found. */
export type Command =
  | { readonly status: 'found'; readonly file: string; readonly arguments: readonly string[] }
  | { readonly status: 'not-found'; readonly why: string }
  | { readonly status: 'not-executable'; readonly why: string };

/**
 * What execvp(3) would execute for `words` in `environment`: a path as it is, a name by PATH, a script without `#!` by
 * /bin/sh. It is found out beforehand because node aborts where execve(2) fails.
 */
export function findCommand(
  [name = '', ...words]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Command {
  if (name === '') return notFound('its name is empty');
  const searched = name.includes('/') ? { file: name } : search(name, environment['PATH'] ?? PATH);
  if (!searched) return notFound('no folder of PATH has it');
  const why = whyNotExecutable(searched.file);
  if (why) return why;
  const head = headOf(searched.file);
  if (head === undefined || head.startsWith(ELF))
    return { status: 'found', file: searched.file, arguments: [name, ...words] };
  if (head.startsWith('#!')) {
    const interpreter = /^#![ \t]*([^ \t\n]*)/.exec(head)![1]!;
    if (interpreter === '' || whyNotExecutable(interpreter))
      return notFound(`its interpreter cannot be run: ${interpreter}`);
    return { status: 'found', file: searched.file, arguments: [name, ...words] };
  }
  if (head.includes('\0')) return notExecutable('it is of no known format');
  return { status: 'found', file: '/bin/sh', arguments: ['/bin/sh', searched.file, ...words] };
}

/** The first that may be executed; else the first that is there at all. */
function search(name: string, path: string): { readonly file: string } | undefined {
  let found: string | undefined;
  for (const folder of path.split(':')) {
    const file = `${folder || '.'}/${name}`;
    const why = whyNotExecutable(file);
    if (!why) return { file };
    if (why.status === 'not-executable') found ??= file;
  }
  return found === undefined ? undefined : { file: found };
}

function whyNotExecutable(file: string): Exclude<Command, { status: 'found' }> | undefined {
  try {
    if (statSync(file).isDirectory()) return notExecutable('it is a folder');
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? notFound('there is no such file') : notExecutable(`${code}`);
  }
}

/** Undefined where it may be executed and not read, and of a file that is still being written nothing. */
function headOf(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return undefined;
  }
  try {
    const room = Buffer.alloc(HEAD);
    return room.toString('latin1', 0, readSync(descriptor, room, 0, HEAD, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** Why arguments and environment are too much for one execve(2); undefined if they are not. */
export function whyTooLong(
  file: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): string | undefined {
  const strings = [file, ...words, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  const lengths = strings.map((text) => Buffer.byteLength(text) + 1);
  if (lengths.some((length) => length > STRING_MAX)) return `one is longer than ${STRING_MAX - 1} bytes`;
  // A pointer to each, and a page for what the kernel puts beside them.
  const total = lengths.reduce((sum, length) => sum + length + 8, 4_096);
  const most = totalMost();
  return total > most ? `together they are longer than ${most} bytes` : undefined;
}

/** A quarter of the stack that a program may have (execve(2), "Limits on size of arguments and environment"). */
function totalMost(): number {
  const [, soft = 'unlimited'] = /^Max stack size +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  const stack = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  return Math.max(TOTAL_LEAST, Math.min(TOTAL_MOST, Math.floor(stack / 4)));
}

function notFound(why: string): Command & { status: 'not-found' } {
  return { status: 'not-found', why };
}

function notExecutable(why: string): Command & { status: 'not-executable' } {
  return { status: 'not-executable', why };
}
