import { KeyholdError } from '../../../protocol/errors.ts';

// Primary result codes of https://sqlite.org/rescode.html; the low byte of an extended one.
const ERROR = 1;
const CORRUPT = 11;
const FULL = 13;
const MISMATCH = 20;
const NOTADB = 26;

/** What an error of SQLite or of the file system means for the audit log. */
export function auditFault(error: unknown, verb: string, file: string): KeyholdError {
  if (error instanceof KeyholdError) return error;
  const { code, errcode } = error as { code?: string; errcode?: number };
  const primary = errcode === undefined ? undefined : errcode & 0xff;
  const isFull = primary === FULL || code === 'ENOSPC' || code === 'EDQUOT';
  // Our statements never change, so what does not understand them, or holds values of other kinds, is no file of ours.
  const isDamaged =
    primary === undefined
      ? code === 'ERR_OUT_OF_RANGE'
      : [ERROR, CORRUPT, MISMATCH, NOTADB].includes(primary) && !isFull;
  if (isDamaged) return damaged(file, error);
  const why = isFull ? 'the disk is full; make room' : `the disk says ${errcode ?? code ?? 'nothing'}; mend it`;
  return new KeyholdError('audit_unwritable', `cannot ${verb} ${file}: ${why}`, { cause: error });
}

/** The file is none that we wrote. It is left as it is. */
export function damaged(file: string, cause?: unknown): KeyholdError {
  const message = `cannot use ${file}: it is damaged; move it away, then run: keyhold restart`;
  return new KeyholdError('audit_damaged', message, { cause });
}
