import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
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
import type { Command } from 'commander';
import { syncFolder } from '../../platform/durable.ts';
import { isContinued, RECORD_LINE_MAX } from '../../protocol/record-lines.ts';
import type { Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { dial } from '../dial.ts';
import { ask, detail, documents, withAgent } from './agent.ts';
import { askYesNo, canAsk, confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import { remark, show } from './page.ts';
import { ProgressBar } from './progress.ts';
import { addSecretOptions, readSecret, type SecretOptions } from './secret-input.ts';
import { localTime } from './status.ts';
import { addDestructiveVerb, addVerb, type DestructiveOptions } from './verb.ts';

/** Milliseconds for everything that is held: a key from a passphrase, and thousands of records. */
const LONG = 600_000;
/** A request takes 1,024 lines and 1 MiB; these leave room for its other lines. */
const BATCH_LINES = 900;
const BATCH_BYTES = 900_000;
/** Most bytes of a backup file: of half a million credentials. */
const FILE_MAX = 256 * 1_048_576;
/** Bytes of one read of it. */
const READ_SIZE = 1_048_576;

/**
 * `keyhold backup FILE` and `keyhold restore FILE`. The file is text: a header line, then one sealed record a line, each
 * as the agent gave it.
 */
export function addBackup(program: Command): void {
  addSecretOptions(
    addDestructiveVerb(program, 'backup <file>', 'everything held, sealed by a passphrase'),
    'the passphrase',
  ).action(backup);
  addSecretOptions(addVerb(program, 'restore <file>', 'take a backup back in'), 'the passphrase')
    .option('--older', 'put values of the backup also in the place of newer ones, without asking')
    .action(restore);
}

async function backup(file: string, options: SecretOptions & DestructiveOptions): Promise<void> {
  const overwrite = existsSync(file);
  if (overwrite) await confirm(printable(`Overwrite ${file}?`), options);
  const passphrase = await readSecret(options, 'the passphrase', true);
  let made: Made;
  try {
    made = await writeWhole(file, overwrite, (out) => fetchBackup(passphrase, out));
  } finally {
    passphrase.dispose();
  }
  const { records, damaged } = made;
  for (const one of damaged) remark(`Left out, its record is damaged: ${placeIn(one)}. Store it anew.`);
  show(options.json, { file, records, ...(damaged.length > 0 ? { damaged } : {}) }, (page) =>
    page
      .line(
        `Wrote ${records} sealed ${records === 1 ? 'record' : 'records'}, opened by that passphrase and by nothing else.`,
      )
      .verbatim(file),
  );
}

/** How people name a credential of an answer. */
function placeIn({ protocol, host, path, username }: Record<string, unknown>): string {
  const who = typeof username === 'string' ? `${username}@` : '';
  return printable(`${protocol}://${who}${host}${typeof path === 'string' ? `/${path}` : ''}`);
}

type Made = { readonly records: number; readonly damaged: readonly Record<string, unknown>[] };

/** Asks for a backup page by page and writes its lines. A header begins the file, also anew: then what came before is dropped. */
async function fetchBackup(passphrase: Secret, out: Output): Promise<Made> {
  const damaged: Record<string, unknown>[] = [];
  let records = 0;
  let isBegun = false;
  using agent = await dial({ deadline: LONG, autostart: true });
  using bar = new ProgressBar('backup');
  let attributes: Record<string, string | Secret> = { passphrase, paged: '1' };
  for (;;) {
    const { details } = await ask(agent, 'backup', { attributes });
    const header = detail(details, 'header');
    if (header !== undefined) {
      out.begin(`${header}\n`);
      records = 0;
      isBegun = true;
    }
    if (!isBegun) throw new CommandFailure(1, 'cannot back up: the agent gave no header');
    const lines = (details ?? []).filter(([key]) => key === 'record[]').map(([, line]) => line);
    out.write(lines.map((line) => `${line}\n`).join(''));
    records += lines.filter((line) => !isContinued(line)).length;
    damaged.push(...documents(details, 'damaged[]'));
    const [handle, left] = [detail(details, 'backup'), Number(detail(details, 'left') ?? 0)];
    // An agent of version 0.1 answers everything at once.
    if (handle === undefined || left === 0) return { records, damaged };
    bar.show(records, records + left);
    attributes = { backup: handle };
  }
}

/** Where a file's text goes; `begin` starts it anew. */
type Output = { readonly begin: (text: string) => void; readonly write: (text: string) => void };

/** All or nothing: the file appears under its name once it is complete and durable, and only its owner may read it. */
async function writeWhole<T>(file: string, overwrite: boolean, fill: (out: Output) => Promise<T>): Promise<T> {
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

type RestoreOptions = SecretOptions & { readonly older?: boolean };

/** A credential of the backup for whose place another value is held. */
type Difference = {
  readonly protocol: string;
  readonly host: string;
  readonly path?: string;
  readonly username?: string;
  readonly label?: string;
  readonly storedAt: number;
  readonly heldAt?: number;
  /** `kept`: the newer one that is held stays. */
  readonly outcome: 'kept' | 'replaced' | 'revoked';
};

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const { header, lines, records } = readBackup(file);
  const passphrase = await readSecret(options, 'the passphrase');
  let done: Restored;
  try {
    done = await restoreAll(passphrase, header, lines, options.older === true);
    const kept = done.differs.filter(({ outcome }) => outcome === 'kept');
    if (kept.length > 0 && (await mayReplaceNewer(kept, options))) {
      const again = await restoreAll(passphrase, header, lines, true);
      const before = done.differs.filter(({ outcome }) => outcome === 'replaced');
      done = { ...again, differs: [...before, ...again.differs] };
    }
  } finally {
    passphrase.dispose();
  }
  const { own, differs } = done;
  const restored = records - own - differs.filter(({ outcome }) => outcome !== 'replaced').length;
  show(options.json, { file, restored, differs }, (page) => {
    page.line(`Restored ${restored} of ${records - own} ${records - own === 1 ? 'record' : 'records'}.`);
    for (const [outcome, text] of Object.entries(told)) {
      const some = differs.filter((one) => one.outcome === outcome);
      if (some.length > 0) page.line(`${text} ${named(some)}`);
    }
    if (differs.some(({ outcome }) => outcome === 'replaced'))
      page.line('What was replaced can be brought back: keyhold token list --erased', 'dim');
  });
}

/** What is said before the names of those that ended so. */
const told: Readonly<Record<Difference['outcome'], string>> = {
  replaced: 'Replaced here:',
  kept: 'Kept the newer one that is here:',
  revoked: 'Left out, because it was revoked:',
};

/** Tokens that a sentence names; the others are a number. */
const NAMED_MAX = 10;

function named(some: readonly Difference[]): string {
  const names = some.slice(0, NAMED_MAX).map(({ protocol, host, path, username, label }) => {
    const who = label ?? username;
    return printable(
      `${who === undefined ? '' : `${who} for `}${protocol}://${host}${path === undefined ? '' : `/${path}`}`,
    );
  });
  return `${names.join(', ')}${some.length > NAMED_MAX ? ` and ${some.length - NAMED_MAX} more` : ''}.`;
}

/** Whether the older values of the backup shall take the place of newer ones. Where the user cannot be asked, they do not. */
async function mayReplaceNewer(kept: readonly Difference[], { input }: RestoreOptions): Promise<boolean> {
  if (!canAsk(input)) return false;
  for (const one of kept.slice(0, NAMED_MAX)) {
    const { storedAt, heldAt } = one;
    const since = (at: number | undefined) => (at === undefined ? 'an unknown date' : localTime(at));
    remark(
      `${named([one]).slice(0, -1)}: the one here is of ${since(heldAt)}, that of the backup of ${since(storedAt)}`,
    );
  }
  if (kept.length > NAMED_MAX) remark(`and ${kept.length - NAMED_MAX} more`);
  const what =
    kept.length === 1 ? 'the newer token here by the older one' : `${kept.length} newer tokens here by the older ones`;
  return askYesNo(`Replace ${what} of the backup?`);
}

type Restored = { readonly restored: number; readonly own: number; readonly differs: readonly Difference[] };

async function restoreAll(
  passphrase: Secret,
  header: string,
  lines: readonly string[],
  takesOlder: boolean,
): Promise<Restored> {
  let restored = 0;
  let own = 0;
  const differs: Difference[] = [];
  const older = takesOlder ? '1' : undefined;
  try {
    using bar = new ProgressBar('restore', lines.length);
    let sent = 0;
    for (const record of batches(lines)) {
      const attributes = { passphrase, header, record, older };
      const { details } = await withAgent((agent) => ask(agent, 'restore', { attributes }), LONG);
      restored += Number(detail(details, 'restored') ?? record.length);
      own += Number(detail(details, 'own') ?? 0);
      differs.push(...(documents(details, 'differs[]') as unknown as Difference[]));
      sent += record.length;
      bar.show(sent);
    }
  } catch (error) {
    if (restored === 0 || !(error instanceof CommandFailure)) throw error;
    throw new CommandFailure(error.exitCode, `${error.message}; ${restored} were restored, and it may be run again`);
  }
  return { restored, own, differs };
}

function readBackup(file: string): { header: string; lines: string[]; records: number } {
  const text = readBounded(file).toString('latin1');
  if (!text.endsWith('\n')) throw unfit(file, 'its end is missing');
  const [header = '', ...lines] = text.slice(0, -1).split('\n');
  if (header === '') throw unfit(file, 'it has no header');
  if (
    [header, ...lines].some((line) => line.length > RECORD_LINE_MAX || line === '') ||
    isContinued(lines.at(-1) ?? '')
  ) {
    throw unfit(file, 'it has a line that is none of a backup');
  }
  const records = lines.filter((line) => !isContinued(line)).length;
  const missing = countOf(header) - records;
  if (Number.isNaN(missing)) throw unfit(file, 'it has no proper header');
  if (missing !== 0)
    throw unfit(file, `${Math.abs(missing)} of its records are ${missing > 0 ? 'missing' : 'too many'}`);
  return { header, lines, records };
}

/**
 * The bytes of a regular file, as many as a backup can have. A FIFO or a device could keep the command waiting or never end, and
 * is refused before anything is read; so is a file that gives more bytes than it says.
 */
function readBounded(file: string): Buffer {
  let descriptor: number | undefined;
  try {
    // Without waiting for a FIFO's other end.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = fstatSync(descriptor);
    if (stats.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (!stats.isFile()) throw unfit(file, 'it is no regular file; write the backup to a file first');
    if (stats.size > FILE_MAX) throw unfit(file, `it is larger than ${FILE_MAX} bytes`);
    const pieces: Buffer[] = [];
    for (let left = FILE_MAX + 1; ; ) {
      const piece = Buffer.alloc(Math.min(READ_SIZE, left));
      const length = readSync(descriptor, piece);
      if (length === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, length));
      left -= length;
      if (left === 0) throw unfit(file, `it is larger than ${FILE_MAX} bytes`);
    }
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(1, `cannot read ${file}: ${whyOf(error)}`, { cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
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

/** Lines for one request each. A record is never cut: its lines go together. */
function* batches(lines: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (let at = 0; at < lines.length; ) {
    let end = at + 1;
    while (isContinued(lines[end - 1]!)) end++;
    const record = lines.slice(at, end);
    const size = record.reduce((sum, line) => sum + line.length + 'record[]=\n'.length, 0);
    if (batch.length > 0 && (batch.length + record.length > BATCH_LINES || bytes + size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(...record);
    bytes += size;
    at = end;
  }
  // Also an empty backup is sent once: the agent checks its passphrase.
  if (batch.length > 0 || lines.length === 0) yield batch;
}

function unfit(file: string, rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot restore ${file}: ${rule}`);
}
