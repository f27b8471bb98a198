import { KeyholdError } from './errors.ts';
import { LINE_MAX } from './limits.ts';

/** What a line ends with whose record goes on in the next one. No character of base64. */
const CONTINUED = '\\';
/** Characters of a record on one line: what fits behind `record[]=` and before the LF. */
export const RECORD_LINE_MAX = LINE_MAX - 'record[]=\n'.length;

/** A record of a backup (base64) as lines: one, or as many as its length needs, each but the last ended by a backslash. */
export function linesOfRecord(record: string): string[] {
  const lines: string[] = [];
  let at = 0;
  for (const size = RECORD_LINE_MAX - CONTINUED.length; record.length - at > RECORD_LINE_MAX; at += size) {
    lines.push(record.slice(at, at + size) + CONTINUED);
  }
  lines.push(record.slice(at));
  return lines;
}

/** Whether a line's record goes on in the next one. */
export function isContinued(line: string): boolean {
  return line.endsWith(CONTINUED);
}

/** Records back from their lines. Throws `bad_request` where the last one is cut. */
export function recordsOf(lines: Iterable<string>): string[] {
  const records: string[] = [];
  let begun = '';
  for (const line of lines) {
    if (isContinued(line)) begun += line.slice(0, -CONTINUED.length);
    else {
      records.push(begun + line);
      begun = '';
    }
  }
  if (begun !== '')
    throw new KeyholdError('bad_request', 'cannot restore: the last record is cut; take another copy of it');
  return records;
}
