import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Detail } from '../../protocol/handler.ts';
import { LINE_MAX } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { ask, detail, withAgent } from './agent.ts';
import { confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { addSecretOptions, readSecret, type SecretOptions } from './secret-input.ts';
import { addDestructiveVerb, addVerb, type DestructiveOptions } from './verb.ts';

/** Milliseconds for everything that is held: a key from a passphrase, and thousands of records. */
const LONG = 600_000;
/** A request takes 1,024 lines and 1 MiB; these leave room for its other lines. */
const BATCH_RECORDS = 900;
const BATCH_BYTES = 900_000;
/** Most bytes of a backup file: what one answer of the agent can bring. */
const FILE_MAX = 64 * 1_048_576;

/**
 * `keyhold backup FILE` and `keyhold restore FILE`. The file is text: a header line, then one sealed record a line, each
 * as the agent gave it.
 */
export function addBackup(program: Command): void {
  addSecretOptions(
    addDestructiveVerb(program, 'backup <file>', 'everything held, sealed by a passphrase'),
    'the passphrase',
  ).action(backup);
  addSecretOptions(addVerb(program, 'restore <file>', 'take a backup back in'), 'the passphrase').action(restore);
}

async function backup(file: string, options: SecretOptions & DestructiveOptions): Promise<void> {
  const overwrite = existsSync(file);
  if (overwrite) await confirm(printable(`Overwrite ${file}?`), options);
  const passphrase = await readSecret(options, 'the passphrase', true);
  let details: readonly Detail[] | undefined;
  try {
    ({ details } = await withAgent((agent) => ask(agent, 'backup', { attributes: { passphrase } }), LONG));
  } finally {
    passphrase.dispose();
  }
  const records = (details ?? []).filter(([key]) => key === 'record[]').map(([, record]) => record);
  const header = details?.find(([key]) => key === 'header')?.[1];
  if (header === undefined) throw new CommandFailure(1, 'cannot back up: the agent gave no header');
  writeWhole(file, [header, ...records].map((line) => `${line}\n`).join(''), overwrite);
  show(options.json, { file, records: records.length }, (page) =>
    page
      .line(
        `Wrote ${records.length} sealed ${records.length === 1 ? 'record' : 'records'}, opened by that passphrase and by nothing else.`,
      )
      .verbatim(file),
  );
}

/** All or nothing: the file appears under its name once it is complete and durable, and only its owner may read it. */
function writeWhole(file: string, text: string, overwrite: boolean): void {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    const descriptor = openSync(temporary, 'wx', 0o600);
    try {
      for (let bytes = Buffer.from(text, 'latin1'); bytes.length > 0; )
        bytes = bytes.subarray(writeSync(descriptor, bytes));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    // A link never replaces what appeared there in the meantime; a rename would.
    if (overwrite) renameSync(temporary, file);
    else linkSync(temporary, file);
    syncFolder(dirname(file));
  } catch (error) {
    throw new CommandFailure(1, `cannot write ${file}: ${whyOf(error)}`, { cause: error });
  } finally {
    rmSync(temporary, { force: true });
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function restore(file: string, options: SecretOptions): Promise<void> {
  const { header, records } = readBackup(file);
  const passphrase = await readSecret(options, 'the passphrase');
  let restored = 0;
  let own = 0;
  try {
    for (const batch of batches(records)) {
      const done = await restoreBatch(passphrase, header, batch);
      restored += done.restored;
      own += done.own;
    }
  } catch (error) {
    if (restored === 0 || !(error instanceof CommandFailure)) throw error;
    throw new CommandFailure(error.exitCode, `${error.message}; ${restored} were restored, and it may be run again`);
  } finally {
    passphrase.dispose();
  }
  show(options.json, { file, restored }, (page) =>
    page.line(`Restored ${restored} of ${records.length - own} ${records.length - own === 1 ? 'record' : 'records'}.`),
  );
}

async function restoreBatch(passphrase: Secret, header: string, record: readonly string[]) {
  const { details } = await withAgent(
    (agent) => ask(agent, 'restore', { attributes: { passphrase, header, record } }),
    LONG,
  );
  return { restored: Number(detail(details, 'restored') ?? record.length), own: Number(detail(details, 'own') ?? 0) };
}

function readBackup(file: string): { header: string; records: string[] } {
  let text: string;
  try {
    if (statSync(file).size > FILE_MAX) throw unfit(file, `it is larger than ${FILE_MAX} bytes`);
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(1, `cannot read ${file}: ${whyOf(error)}`, { cause: error });
  }
  if (!text.endsWith('\n')) throw unfit(file, 'its end is missing');
  const [header = '', ...records] = text.slice(0, -1).split('\n');
  if (header === '') throw unfit(file, 'it has no header');
  if ([header, ...records].some((line) => line.length > LINE_MAX - 'record[]=\n'.length || line === '')) {
    throw unfit(file, 'it has a line that is none of a backup');
  }
  const missing = countOf(header) - records.length;
  if (Number.isNaN(missing)) throw unfit(file, 'it has no proper header');
  if (missing !== 0)
    throw unfit(file, `${Math.abs(missing)} of its records are ${missing > 0 ? 'missing' : 'too many'}`);
  return { header, records };
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

function* batches(records: readonly string[]): Generator<string[]> {
  let batch: string[] = [];
  let bytes = 0;
  for (const record of records) {
    if (batch.length === BATCH_RECORDS || bytes + record.length > BATCH_BYTES) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += record.length + 'record[]=\n'.length;
  }
  // Also an empty backup is sent once: the agent checks its passphrase.
  if (batch.length > 0 || records.length === 0) yield batch;
}

function unfit(file: string, rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot restore ${file}: ${rule}`);
}
