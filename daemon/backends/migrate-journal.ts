import { closeSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeLeftovers, replaceInPieces, syncFolder } from '../../platform/durable.ts';
import { asFault, KeyholdError } from '../../protocol/errors.ts';
import { Slices } from '../slices.ts';
import { type BackendName, isBackendName } from './backend.ts';
import { storageFault } from './vault/storage-fault.ts';

/**
 * How far a migrate has come. `copying`: `from` is in use and whole, and `to` holds some copies. `removing`: `to` is in
 * use and whole, and `from` still holds some of what was carried. `kept`: `to` is the memory, and `from` has what was carried for a day,
 * so that it can be undone (ADR 0041).
 */
export type MigratePhase = 'copying' | 'removing' | 'kept';

/** What the journal says of a migrate. Beside it stand ids, which are random: the file names no host and no account. */
export type MigrateRecord = {
  readonly from: BackendName;
  readonly to: BackendName;
  readonly phase: MigratePhase;
};

/** The journal of a migrate: a file that stands from before its first copy until its last old copy is gone. */
export type MigrateJournal = {
  /** The record; undefined if there is none. Throws `bad_config` for a file that this version did not write. */
  read(): MigrateRecord | undefined;
  /** The ids that were written with it. Throws the same. */
  kept(): Promise<ReadonlySet<string>>;
  /**
   * `kept`: what the backend that is not in use has without the migrate; it is left alone. Durable when it settles; the journal
   * before it stands until then. Throws `backend_failed` or `backend_full`.
   */
  write(record: MigrateRecord, kept: readonly { readonly id: string }[]): Promise<void>;
  /** Durable when it returns. */
  clear(): void;
};

/** Version 1 is one line with all ids; since version 2 each has a line of its own, and the first line their number. */
const VERSION = 2;
/** Bytes of the first line at most. */
const FIRST_LINE_MAX = 1_024;
/** Ids that are written together. */
const TOGETHER = 500;

export function openMigrateJournal(file: string): MigrateJournal {
  return {
    read() {
      const line = tried(file, () => firstLine(file));
      return line === undefined ? undefined : recordIn(line, file);
    },
    async kept() {
      const text = tried(file, () => readFileSync(file, 'utf8')) ?? '';
      return keptIn(text, file);
    },
    async write({ from, to, phase }, kept) {
      try {
        removeLeftovers(file);
        await replaceInPieces(file, piecesOf({ version: VERSION, from, to, phase, kept: kept.length }, kept));
      } catch (error) {
        throw storageFault(error, 'write', file).fault;
      }
    },
    clear() {
      rmSync(file, { force: true });
      syncFolder(dirname(file));
    },
  };
}

function* piecesOf(head: object, kept: readonly { readonly id: string }[]): Generator<string> {
  yield `${JSON.stringify(head)}\n`;
  for (let at = 0; at < kept.length; at += TOGETHER) {
    yield kept
      .slice(at, at + TOGETHER)
      .map(({ id }) => `${JSON.stringify(id)}\n`)
      .join('');
  }
}

/** Undefined where there is no file. Throws `bad_config` with the system's words. */
function tried<T>(file: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new KeyholdError('bad_config', `cannot read ${file}: ${asFault(error).message}`);
  }
}

/** The first line, without reading the ids behind it. That of version 1 has them, and is the whole file. */
function firstLine(file: string): string {
  const bytes = Buffer.alloc(FIRST_LINE_MAX);
  const descriptor = openSync(file, 'r');
  try {
    const text = bytes.toString('utf8', 0, readSync(descriptor, bytes));
    const end = text.indexOf('\n');
    return end >= 0 ? text.slice(0, end) : readFileSync(file, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

function recordIn(line: string, file: string): MigrateRecord {
  const { from, to, phase } = headIn(line, file);
  return { from, to, phase };
}

async function keptIn(text: string, file: string): Promise<ReadonlySet<string>> {
  const first = text.indexOf('\n');
  const { kept: count } = headIn(first < 0 ? text : text.slice(0, first), file);
  if (typeof count !== 'number') return new Set(count);
  const kept = new Set<string>();
  const slices = new Slices();
  let lines = 0;
  for (let at = first + 1; at < text.length; lines++) {
    const end = text.indexOf('\n', at);
    kept.add(idIn(text.slice(at, end < 0 ? undefined : end), file));
    at = end < 0 ? text.length : end + 1;
    if (slices.isOver) await slices.next();
  }
  if (lines !== count) throw unknown(file);
  return kept;
}

function headIn(line: string, file: string): MigrateRecord & { readonly kept: number | readonly string[] } {
  try {
    const { version, from, to, phase, kept } = JSON.parse(line);
    const isPhase = phase === 'copying' || phase === 'removing' || (phase === 'kept' && to === 'memory');
    const isKept = version === 1 ? isTexts(kept) : version === VERSION && Number.isSafeInteger(kept);
    if (isPhase && isKept && isBackendName(from) && isBackendName(to) && from !== to) return { from, to, phase, kept };
  } catch {}
  throw unknown(file);
}

function idIn(line: string, file: string): string {
  try {
    const id = JSON.parse(line);
    if (typeof id === 'string') return id;
  } catch {}
  throw unknown(file);
}

function unknown(file: string): KeyholdError {
  return new KeyholdError(
    'bad_config',
    `cannot read ${file}: it is no journal of a migrate that this version knows; install the newer keyhold, or move it away`,
  );
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
