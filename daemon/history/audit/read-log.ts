import { asFault } from '../../../protocol/errors.ts';
import { type AuditEntry, ChainCheck, type ChainedEntry, type Head, type Verdict } from './entry.ts';
import { type Filter, fits, readable } from './filter.ts';
import type { AuditLog } from './log.ts';

/** Rows looked at between two turns of the event loop. */
const STEP = 200;

export type Page = {
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  readonly limit: number;
};

export type Listed = ChainedEntry & { readonly entry: AuditEntry };

/**
 * Entries that fit, the newest first, before `before`; or the oldest first, behind `after`. None is behind `head`,
 * where the log ended when it was asked.
 */
export async function listEntries(
  log: AuditLog,
  filter: Filter,
  page: Page,
): Promise<{ readonly found: readonly Listed[]; readonly head: Head }> {
  const { head } = log;
  const found: Listed[] = [];
  let at = page.after ?? page.before ?? Number.MAX_SAFE_INTEGER;
  for (;;) {
    const rows = page.after === undefined ? log.before(at, STEP) : log.after(at, STEP);
    for (const row of rows) {
      at = row.number;
      const entry = readable(row);
      if (at <= head.number && fits(entry, filter)) found.push({ ...row, entry });
      if (found.length === page.limit) return { found, head };
    }
    if (rows.length < STEP) return { found, head };
    await new Promise(setImmediate);
  }
}

/**
 * Recomputes the whole chain, and compares it with a head that was exported. A damaged file is a verdict; throws what else keeps
 * it from being read. `onFault` is told of both.
 */
export async function verifyChain(
  log: AuditLog,
  against: Head | undefined,
  onFault: (error: unknown) => void,
): Promise<Verdict> {
  let at = 0;
  try {
    const end = log.head;
    const wrong = log.inspect();
    if (wrong) return { sound: false, number: 0, why: wrong };
    const check = new ChainCheck({ end, against });
    for (;;) {
      const rows = log.after(at, STEP);
      for (const row of rows) {
        // What was written meanwhile is the next one's to verify.
        if (row.number > end.number && row.number <= log.head.number) return check.verdict();
        at = row.number;
        if (!check.take(row)) return check.verdict();
      }
      if (rows.length < STEP) return check.verdict();
      await new Promise(setImmediate);
    }
  } catch (error) {
    onFault(error);
    if (asFault(error).code !== 'audit_damaged') throw error;
    return { sound: false, number: at + 1, why: 'the file is damaged' };
  }
}
