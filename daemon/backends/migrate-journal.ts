import { readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeLeftovers, replaceDurably, syncFolder } from '../../platform/durable.ts';
import { asFault, KeyholdError } from '../../protocol/errors.ts';
import { type BackendName, isBackendName } from './backend.ts';
import { storageFault } from './vault/storage-fault.ts';

/**
 * How far a migrate has come. `copying`: `from` is in use and whole, and `to` holds some copies. `removing`: `to` is in
 * use and whole, and `from` still holds some of what was carried. `kept`: `to` is the memory, and `from` has what was carried for a day,
 * so that it can be undone (ADR 0041).
 */
export type MigratePhase = 'copying' | 'removing' | 'kept';

/** What the journal holds. Ids are random, so the file names no host and no account. */
export type MigrateRecord = {
  readonly from: BackendName;
  readonly to: BackendName;
  readonly phase: MigratePhase;
  /** Ids in the backend that is not in use which the migrate did not put there: they are left alone. */
  readonly kept: readonly string[];
};

/** The journal of a migrate: a file that stands from before its first copy until its last old copy is gone. */
export type MigrateJournal = {
  /** The record; undefined if there is none. Throws `bad_config` for a file that this version did not write. */
  read(): MigrateRecord | undefined;
  /** Durable when it returns. Throws `backend_failed` or `backend_full`. */
  write(record: MigrateRecord): void;
  /** Durable when it returns. */
  clear(): void;
};

export function openMigrateJournal(file: string): MigrateJournal {
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(file, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw new KeyholdError('bad_config', `cannot read ${file}: ${asFault(error).message}`);
      }
      return parse(text, file);
    },
    write(record) {
      try {
        removeLeftovers(file);
        replaceDurably(file, `${JSON.stringify({ version: 1, ...record })}\n`);
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

function parse(text: string, file: string): MigrateRecord {
  try {
    const { version, from, to, phase, kept } = JSON.parse(text);
    const isKnown =
      version === 1 && (phase === 'copying' || phase === 'removing' || (phase === 'kept' && to === 'memory'));
    if (isKnown && isBackendName(from) && isBackendName(to) && from !== to && isTexts(kept)) {
      return { from, to, phase, kept };
    }
  } catch {}
  throw new KeyholdError(
    'bad_config',
    `cannot read ${file}: it is no journal of a migrate that this version knows; install the newer keyhold, or move it away`,
  );
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
