import { createReadStream, fstatSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { SECRET_MAX } from '../../protocol/limits.ts';
import { heapSecret, type Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { isControl } from '../../protocol/writer.ts';
import { CommandFailure } from './failure.ts';
import { hasPerson, nobodyToAsk, readHidden } from './terminal.ts';
import type { VerbOptions } from './verb.ts';

const LF = 0x0a;
const USAGE = exitCodeOf('bad-request');

/** Where a secret comes from. There is no option that takes one: everybody on the machine can read argv. */
export type SecretOptions = VerbOptions & { readonly stdin?: boolean; readonly fd?: number };

export function addSecretOptions(command: Command, what: string): Command {
  return command
    .option('--stdin', `read ${what} from standard input`)
    .option('--fd <n>', `read ${what} from this file descriptor`, descriptor);
}

/** True if an option says where the secret is. A terminal would show what is typed: there it is asked for instead. */
export function isPiped({ stdin, fd }: SecretOptions): boolean {
  return fd !== undefined || (stdin === true && !process.stdin.isTTY);
}

/**
 * A secret by a hidden prompt, from standard input or from a descriptor; the caller disposes of it. One newline at its
 * end is dropped. Empty, longer than 65,000 bytes or with a control byte: a `CommandFailure` with 2; nobody to ask: 6.
 */
export async function readSecret(options: SecretOptions, what: string, twice = false): Promise<Secret> {
  if (isPiped(options)) return one(await readPiped(options, what), what);
  if (!hasPerson(options.input)) throw nobodyToAsk(what, 'pass --stdin or --fd N');
  const question = what.charAt(0).toUpperCase() + what.slice(1);
  const secret = keepSecret(await readHidden(what, question), what);
  if (!twice) return secret;
  const again = keepSecret(await readHidden(what, `${question} again`), what);
  const same = secret.equals(again);
  again.dispose();
  if (same) return secret;
  secret.dispose();
  throw new CommandFailure(USAGE, `cannot take ${what}: the two differ; nothing was changed`);
}

/** The same, but standard input is read without being asked for where it is no terminal. */
export async function readSecretOrStdin(options: SecretOptions, what: string): Promise<Secret> {
  if (isPiped(options) || process.stdin.isTTY) return await readSecret(options, what);
  const lines = await readPiped({ ...options, stdin: true }, what);
  if (lines.length === 1 && lines[0]!.length === 0) throw nobodyToAsk(what, 'give it on standard input or by --fd N');
  return one(lines, what);
}

/** The lines of what is piped, as secrets; `most` of them at most. For a passphrase in place of another. */
export async function readSecretLines(options: SecretOptions, what: string, most: number): Promise<Secret[]> {
  const lines = await readPiped(options, what);
  if (lines.length > most) {
    for (const line of lines) line.fill(0);
    throw new CommandFailure(USAGE, `cannot take ${what}: there are more than ${most} lines`);
  }
  return lines.map((line) => keepSecret(line, what));
}

function one(lines: readonly Uint8Array[], what: string): Secret {
  if (lines.length === 1) return keepSecret(lines[0]!, what);
  for (const line of lines) line.fill(0);
  throw new CommandFailure(USAGE, `cannot take ${what}: it holds a control byte (a second line)`);
}

/** Takes the bytes over: they are wiped. */
function keepSecret(bytes: Uint8Array, what: string): Secret {
  try {
    if (bytes.length === 0) throw new CommandFailure(USAGE, `cannot take ${what}: it is empty`);
    if (bytes.length > SECRET_MAX) throw tooLong(what);
    const control = bytes.findIndex(isControl);
    if (control >= 0) {
      throw new CommandFailure(USAGE, `cannot take ${what}: it holds a control byte (byte ${control + 1})`);
    }
    return heapSecret(bytes);
  } finally {
    bytes.fill(0);
  }
}

async function readPiped({ fd }: SecretOptions, what: string): Promise<Uint8Array[]> {
  const stream: Readable = fd === undefined ? process.stdin : openGiven(fd, what);
  const room = new Uint8Array(2 * SECRET_MAX + 2);
  let length = 0;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      const fits = length + piece.length <= room.length;
      if (fits) room.set(piece, length);
      piece.fill(0);
      if (!fits) throw tooLong(what);
      length += piece.length;
    }
    return linesOf(room.subarray(0, length));
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(USAGE, `cannot read ${what} from file descriptor ${fd ?? 0}: ${code}`, { cause: error });
  } finally {
    room.fill(0);
  }
}

/** Node has descriptors of its own, and ends at once if one is taken from it: only what a person can give is read. */
function openGiven(fd: number, what: string): Readable {
  try {
    const stats = fstatSync(fd);
    if (stats.isFile() || stats.isFIFO() || stats.isSocket() || stats.isCharacterDevice()) {
      return createReadStream('', { fd });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
  }
  throw new CommandFailure(USAGE, `cannot read ${what}: nothing was given as file descriptor ${fd}`);
}

/** Copies of the lines; one newline at the very end is none of them. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const end = bytes.at(-1) === LF ? bytes.length - 1 : bytes.length;
  const lines: Uint8Array[] = [];
  for (let start = 0; start <= end; ) {
    const found = bytes.subarray(0, end).indexOf(LF, start);
    const lineEnd = found < 0 ? end : found;
    lines.push(bytes.slice(start, lineEnd));
    start = lineEnd + 1;
  }
  return lines;
}

function tooLong(what: string): CommandFailure {
  return new CommandFailure(USAGE, `cannot take ${what}: it is longer than ${SECRET_MAX} bytes`);
}

function descriptor(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new InvalidArgumentError('it is no file descriptor, such as 3.');
  return Number(text);
}
