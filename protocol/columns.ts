import { KeyholdError } from './errors.ts';
import { LINE_MAX } from './limits.ts';
import { fromWire, toWire } from './text.ts';

/** Things that are put together in one line unless they would not fit. */
const THINGS_A_LINE = 300;
/** Bytes of a line that are left for its name and its LF. */
const NAME_ROOM = 64;
/** Characters of a text that would fit no line by itself. */
const CUT_AT = 512;

/** Many things of one shape: the names of their values, and lines of JSON with the values of some things each. */
export type Columns = { readonly columns: string; readonly lines: readonly string[] };

/** The names of columns, as a wire value. */
export function namesLine(names: readonly string[]): string {
  return toWire(JSON.stringify(names));
}

/**
 * Yields `count` things as few lines: to write and to read ten thousand costs a fraction of what a line each would.
 * `columnsOf` gives the values of those from `start` to before `end`, a column for each name, undefined for what is
 * absent. A line is a list of how many things it has, and of their columns, the value alone for one in which all are the
 * same. These are wire values. A thing that is too long for a line by itself has its texts cut.
 */
export function* linesOf(
  count: number,
  columnsOf: (start: number, end: number) => readonly (readonly unknown[])[],
): Generator<string> {
  for (let start = 0; start < count; start += THINGS_A_LINE) {
    const end = Math.min(start + THINGS_A_LINE, count);
    yield* linesOfSome(end - start, columnsOf(start, end));
  }
}

function* linesOfSome(count: number, columns: readonly (readonly unknown[])[]): Generator<string> {
  const line = toWire(JSON.stringify([count, ...columns.map(shortened)]));
  if (line.length <= LINE_MAX - NAME_ROOM) yield line;
  else if (count === 1)
    yield* linesOfSome(
      1,
      columns.map((column) => column.map(cut)),
    );
  else {
    const middle = count >> 1;
    yield* linesOfSome(
      middle,
      columns.map((column) => column.slice(0, middle)),
    );
    yield* linesOfSome(
      count - middle,
      columns.map((column) => column.slice(middle)),
    );
  }
}

/** One value where all are the same and it is no list; null where all are absent. */
function shortened(column: readonly unknown[]): unknown {
  const [first] = column;
  return Array.isArray(first) || column.some((value) => value !== first) ? column : (first ?? null);
}

function cut(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return typeof value === 'string' && value.length > CUT_AT ? `${value.slice(0, CUT_AT)}…` : value;
}

/** Things by their columns: a value for each thing, null for what is absent, and no column for what is absent in all. */
export type Table = { readonly count: number; readonly columns: ReadonlyMap<string, readonly unknown[]> };

/** The columns in one piece. Throws `bad_reply` where they are not what `linesOf` wrote. */
export function tableOf({ columns, lines }: Columns): Table {
  const names = JSON.parse(fromWire(columns)) as string[];
  const parts = lines.map((line) => JSON.parse(fromWire(line)) as [count: number, ...columns: unknown[]]);
  if (!parts.every(([count]) => Number.isInteger(count))) {
    throw new KeyholdError(
      'bad_reply',
      'cannot read the answer: the agent is of another version; run: keyhold restart',
    );
  }
  const whole = new Map<string, unknown[]>();
  names.forEach((name, at) => {
    if (parts.every((part) => part[at + 1] === null)) return;
    whole.set(name, ([] as unknown[]).concat(...parts.map((part) => lengthened(part[at + 1], part[0]))));
  });
  return { count: parts.reduce((sum, [count]) => sum + count, 0), columns: whole };
}

function lengthened(column: unknown, count: number): unknown[] {
  return Array.isArray(column) ? column : Array<unknown>(count).fill(column);
}

/** The table of things that came one by one. */
export function tableFrom(things: readonly Readonly<Record<string, unknown>>[]): Table {
  const names = new Set(things.flatMap((thing) => Object.keys(thing)));
  const columns = [...names].map((name) => [name, things.map((thing) => thing[name] ?? null)] as const);
  return { count: things.length, columns: new Map(columns) };
}

/** The things of those rows, or all; what is absent in one is undefined. */
export function thingsOf({ count, columns }: Table, rows: readonly number[] = rowsTo(count)) {
  // Copies of one thing share its form, which makes them cheap to build and to look at.
  const form: Record<string, unknown> = Object.fromEntries([...columns.keys()].map((name) => [name, undefined]));
  const things = rows.map(() => ({ ...form }));
  for (const [name, column] of columns) {
    rows.forEach((row, at) => {
      if (column[row] !== null) things[at]![name] = column[row];
    });
  }
  return things;
}

/** The numbers of `count` rows. By a loop: an iterator would make a thing of each. */
export function rowsTo(count: number): number[] {
  const rows: number[] = [];
  for (let row = 0; row < count; row++) rows.push(row);
  return rows;
}
