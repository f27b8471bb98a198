import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../../platform/durable.ts';
import { isContinued, RECORD_LINE_MAX } from '../../protocol/record-lines.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from './failure.ts';

/** Most bytes of a backup file: of half a million credentials. */
const FILE_MAX = 256 * 1_048_576;
/** Bytes of one read of it. */
const READ_SIZE = 1_048_576;

/** Where a file's text goes; `begin` starts it anew. */
export type Output = { readonly begin: (text: string) => void; readonly write: (text: string) => void };

/** All or nothing: the file appears under its name once it is complete and durable, and only its owner may read it. */
export async function writeWhole<T>(file: string, overwrite: boolean, fill: (out: Output) => Promise<T>): Promise<T> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
  const tried = <R>(work: () => R): R => {
    try {
      return work();
    } catch (error) {
      throw new CommandFailure(1, `cannot write ${file}: ${whyOf(error)}`, { cause: error });
    }
  };
  const descriptor = tried(() => openSync(temporary, 'wx', 0o600));
  try {
    let made: T;
    try {
      made = await fill(outputTo(descriptor, tried));
      tried(() => fsyncSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
    tried(() => {
      // A link never replaces what appeared there in the meantime; a rename would.
      if (overwrite) renameSync(temporary, file);
      else linkSync(temporary, file);
      syncFolder(dirname(file));
    });
    return made;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function outputTo(descriptor: number, tried: <R>(work: () => R) => R): Output {
  let end = 0;
  const write = (text: string) =>
    tried(() => {
      for (let bytes = Buffer.from(text, 'latin1'); bytes.length > 0; ) {
        const written = writeSync(descriptor, bytes, 0, bytes.length, end);
        end += written;
        bytes = bytes.subarray(written);
      }
    });
  const begin = (text: string) => {
    tried(() => ftruncateSync(descriptor, 0));
    end = 0;
    write(text);
  };
  return { begin, write };
}

/**
 * A backup that is read from a file: a header and lines of records, as many as the header says. It is read a piece at a time,
 * once to see that it is whole and once for each `lines`.
 */
export class BackupFile implements Disposable {
  readonly header: string;
  /** How many records it has, and on how many lines they stand. */
  readonly records: number;
  readonly length: number;
  readonly #file: string;
  readonly #descriptor: number;

  /**
   * Opens a regular file. A FIFO or a device could keep the command waiting or never end, and is refused before anything is read; so
   * is a file that gives more bytes than a backup can have. Throws a `CommandFailure` for what is no whole backup.
   */
  constructor(file: string) {
    this.#file = file;
    // Without waiting for a FIFO's other end.
    this.#descriptor = tried(file, () =>
      openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY),
    );
    try {
      tried(file, () => this.#refuseUnfit());
      const [header, ...counts] = this.#look();
      this.header = header;
      [this.records, this.length] = counts;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** The lines of its records. */
  *lines(): Generator<string> {
    let isHeader = true;
    for (const line of this.#all()) {
      if (!isHeader) yield line;
      isHeader = false;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #refuseUnfit(): void {
    const stats = fstatSync(this.#descriptor);
    if (stats.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (!stats.isFile()) throw this.#unfit('it is no regular file; write the backup to a file first');
    if (stats.size > FILE_MAX) throw this.#tooLarge();
    const last = Buffer.alloc(1);
    if (stats.size === 0 || readSync(this.#descriptor, last, 0, 1, stats.size - 1) === 0 || last[0] !== LF)
      throw this.#unfit('its end is missing');
  }

  /** The header, how many records there are, and on how many lines. */
  #look(): [header: string, records: number, length: number] {
    let header: string | undefined;
    let [records, length] = [0, 0];
    let isCut = false;
    for (const line of this.#all()) {
      if (header === undefined) {
        if (line === '') throw this.#unfit('it has no header');
        header = line;
        continue;
      }
      length++;
      isCut = isContinued(line);
      if (!isCut) records++;
      if (line === '') throw this.#foreign();
    }
    if (header === undefined || isCut) throw this.#foreign();
    const missing = countOf(header) - records;
    if (Number.isNaN(missing)) throw this.#unfit('it has no proper header');
    if (missing !== 0) {
      throw this.#unfit(`${Math.abs(missing)} of its records are ${missing > 0 ? 'missing' : 'too many'}`);
    }
    return [header, records, length];
  }

  *#all(): Generator<string> {
    const piece = Buffer.alloc(READ_SIZE);
    let rest = '';
    for (let at = 0; ; ) {
      const size = tried(this.#file, () => readSync(this.#descriptor, piece, 0, READ_SIZE, at));
      at += size;
      if (at > FILE_MAX) throw this.#tooLarge();
      const lines = (rest + piece.toString('latin1', 0, size)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > RECORD_LINE_MAX || lines.some((line) => line.length > RECORD_LINE_MAX)) throw this.#foreign();
      yield* lines;
      if (size > 0) continue;
      if (rest !== '') throw this.#unfit('its end is missing');
      return;
    }
  }

  #foreign(): CommandFailure {
    return this.#unfit('it has a line that is none of a backup');
  }

  #tooLarge(): CommandFailure {
    return this.#unfit(`it is larger than ${FILE_MAX} bytes`);
  }

  #unfit(rule: string): CommandFailure {
    return new CommandFailure(exitCodeOf('bad-request'), `cannot restore ${this.#file}: ${rule}`);
  }
}

const LF = 0x0a;

function tried<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(1, `cannot read ${file}: ${whyOf(error)}`, { cause: error });
  }
}

/** What the kernel said, in words where a person is likely to meet it. */
function whyOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unexpected';
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or folder',
    EACCES: 'permission denied',
    EEXIST: 'something else has appeared there',
    EISDIR: 'it is a folder',
    ENOSPC: 'the disk is full',
  };
  return words[code] ?? code;
}

/** How many records the header speaks of; NaN if it does not. */
function countOf(header: string): number {
  try {
    const { count } = JSON.parse(header) as { count?: unknown };
    return typeof count === 'number' ? count : Number.NaN;
  } catch {
    return Number.NaN;
  }
}
