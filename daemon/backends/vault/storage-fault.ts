import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryBeside } from '../../../platform/durable.ts';
import { KeyholdError } from '../../../protocol/errors.ts';

// Primary result codes of https://sqlite.org/rescode.html; the low byte of an extended one.
const ERROR = 1;
const BUSY = 5;
const LOCKED = 6;
const IOERR = 10;
/** A write that failed for any other reason than ENOSPC, EDQUOT among them (SQLITE_IOERR_WRITE). */
const IOERR_WRITE = 778;
const CORRUPT = 11;
const FULL = 13;
const NOTADB = 26;

/** Bytes that are written to look for a quota: as much as a commit of one row. */
const PROBE = 16_384;

/**
 * What an error of SQLite or of the file system means for a vault. `lasting`: nobody knows what is on the disk now, so
 * nothing more may be written until the file was opened anew. Its text shows no value: statements bind them.
 */
export function storageFault(
  error: unknown,
  verb: string,
  file: string,
  isQuotaUsedUp = isOverQuota,
): { fault: KeyholdError; lasting: boolean } {
  if (error instanceof KeyholdError) return { fault: error, lasting: false };
  const { code, errcode } = error as { code?: string; errcode?: number };
  const make = (fault: ConstructorParameters<typeof KeyholdError>[0], rule: string, lasting = false) => ({
    fault: new KeyholdError(fault, `cannot ${verb} ${file}: ${rule}`, { cause: error }),
    lasting,
  });
  if (code === 'EDQUOT') return make('backend_full', OVER_QUOTA);
  if (code === 'ENOSPC') return make('backend_full', 'the disk is full; make room and try again');
  if (code === 'EEXIST') return make('vault_in_use', 'another process creates it at the same time');
  if (errcode === undefined) return make('backend_failed', `the file system says ${code ?? 'nothing'}`);
  switch (errcode & 0xff) {
    case BUSY:
    case LOCKED:
      return make('vault_in_use', 'another process has it; is a second agent running?');
    case FULL:
      return make('backend_full', 'the disk is full; make room and try again');
    case ERROR: // our statements never change, so what does not understand them is no file of ours
    case CORRUPT:
    case NOTADB:
      return make(
        'vault_corrupt',
        'it is damaged; move it away and restore a backup (run: keyhold restore FILE)',
        true,
      );
    case IOERR:
      if (errcode === IOERR_WRITE && isQuotaUsedUp(dirname(file))) return make('backend_full', OVER_QUOTA);
      return make('backend_failed', `the disk fails (sqlite ${errcode}); mend it, then run: keyhold restart`, true);
    default:
      return make('backend_failed', `sqlite says ${errcode}`);
  }
}

const OVER_QUOTA = 'your quota of the disk is used up (EDQUOT); make room and try again';

/** Whether a write there fails for the quota: SQLite does not tell that from a failing disk. */
function isOverQuota(folder: string): boolean {
  const probe = temporaryBeside(join(folder, 'quota'));
  try {
    writeFileSync(probe, Buffer.alloc(PROBE), { mode: 0o600, flag: 'wx' });
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EDQUOT';
  } finally {
    rmSync(probe, { force: true });
  }
}

/** A vault's file whose end is missing. */
export function truncated(file: string): KeyholdError {
  return new KeyholdError(
    'vault_truncated',
    `cannot open ${file}: it is cut short; move it away and restore a backup (run: keyhold restore FILE)`,
  );
}

/** A vault's file that is damaged. */
export function corrupt(file: string): KeyholdError {
  return new KeyholdError(
    'vault_corrupt',
    `cannot open ${file}: it is damaged; move it away and restore a backup (run: keyhold restore FILE)`,
  );
}
