import { LINE_MAX } from './limits.ts';
import { fromWire, toWire } from './text.ts';

/** Rows that are joined in one line unless they would not fit. */
const ROWS_A_LINE = 200;
/** Bytes of a line that are left for its name and its LF. */
const NAME_ROOM = 64;
/** Characters of a text in a row that would fit no line by itself. */
const CUT_AT = 512;

/** Many things of one shape: the names of their values, and lines of JSON with a list of rows each. */
export type Columns = { readonly columns: string; readonly lines: readonly string[] };

/**
 * Puts rows into few lines: to write and to read ten thousand costs a fraction of what a line each would. `null` stands for what is
 * absent. The result is wire values. A row that is too long for a line by itself has its texts cut.
 */
export function toColumns(names: readonly string[], rows: readonly (readonly unknown[])[]): Columns {
  const lines: string[] = [];
  for (let at = 0; at < rows.length; at += ROWS_A_LINE) addLines(lines, rows.slice(at, at + ROWS_A_LINE));
  return { columns: toWire(JSON.stringify(names)), lines };
}

function addLines(lines: string[], rows: readonly (readonly unknown[])[]): void {
  const line = toWire(JSON.stringify(rows));
  if (line.length <= LINE_MAX - NAME_ROOM) lines.push(line);
  else if (rows.length > 1) {
    const middle = rows.length >> 1;
    addLines(lines, rows.slice(0, middle));
    addLines(lines, rows.slice(middle));
  } else addLines(lines, [rows[0]!.map(cut)]);
}

function cut(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return typeof value === 'string' && value.length > CUT_AT ? `${value.slice(0, CUT_AT)}…` : value;
}

/** The things again; what is absent in them is undefined. Throws where it is not what `toColumns` wrote. */
export function fromColumns({ columns, lines }: Columns): Record<string, unknown>[] {
  const names = JSON.parse(fromWire(columns)) as string[];
  // Copies of one thing share its form, which makes them cheap to build and to look at.
  const form: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, undefined]));
  const things: Record<string, unknown>[] = [];
  for (const line of lines) {
    for (const row of JSON.parse(fromWire(line)) as unknown[][]) {
      const thing = { ...form };
      for (let at = 0; at < names.length; at++) if (row[at] !== null) thing[names[at]!] = row[at];
      things.push(thing);
    }
  }
  return things;
}
