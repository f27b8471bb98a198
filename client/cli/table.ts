import { cutTo, isNarrow, padTo, widthOf, wrap } from './width.ts';

/** What stands between two columns. */
export const GAP = '  ';
/** Columns below which no column of a table is cut, and the least for a column of prose. */
const COLUMN_MIN = 10;
const PROSE_MIN = 24;

export type TableOptions = {
  /** Columns that a row may take; infinite: nothing is cut. */
  readonly room: number;
  /** Whether the last column is prose, which is wrapped and not cut. */
  readonly wrapLast?: boolean;
  /** How many columns at the front are never cut. */
  readonly kept?: number;
};

/** A table in text: its heading, and the lines behind it. */
export type Table = { readonly heading: string; readonly lines: readonly string[] };

/**
 * Sets rows in columns. Until a row fits, the widest columns are cut with `…`; a last column of prose is wrapped. Undefined where
 * there is not room enough for that: then each row is better shown by itself (`blocks`). Cells must be printable.
 */
export function tableOf(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { room, wrapLast = false, kept = 0 }: TableOptions,
): Table | undefined {
  const natural = headings.map((heading, at) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[at]!)), heading.length),
  );
  const widths = fitted(natural, { room, wrapLast, kept });
  if (!widths) return undefined;
  const last = widths.length - 1;
  const lines = rows.flatMap((row) => {
    if (!wrapLast) return [joined(row, widths)];
    const [first, ...rest] = wrap(row[last]!, '', widths[last]!);
    const more = rest.map((line) => joined([...row.slice(0, last).fill(''), line], widths));
    return [joined([...row.slice(0, last), first!], widths), ...more];
  });
  return { heading: joined(headings, widths), lines };
}

/** Each row by itself, a line for each of its cells that says something, with an empty line between two rows. */
export function blocks(headings: readonly string[], rows: readonly (readonly string[])[], room: number): string[] {
  const width = Math.max(...headings.map((heading) => heading.length));
  const indent = ' '.repeat(width + GAP.length);
  const lines = rows.map((row) =>
    headings.flatMap((heading, at) => {
      if (row[at] === '') return [];
      const [first = '', ...rest] = wrap(row[at]!, '', Math.max(COLUMN_MIN, room - indent.length));
      return [`${heading.padEnd(width)}${GAP}${first}`, ...rest.map((line) => `${indent}${line}`)];
    }),
  );
  return lines.flatMap((block, at) => (at === 0 ? block : ['', ...block]));
}

/**
 * The same table by its columns, for thousands of rows. Undefined where a cell is not plain or nothing fits: `tableOf` then sees
 * what to do.
 */
export function plainTable(
  headings: readonly string[],
  columns: readonly (readonly string[])[],
  { room }: TableOptions,
): { readonly heading: string; readonly rows: string } | undefined {
  const texts = columns.map((cells) => cells.join(''));
  if (!texts.every(isNarrow)) return undefined;
  const longest = columns.map((cells, at) => (texts[at] === '' ? 0 : longestOf(cells)));
  const widths = fitted(
    headings.map((heading, at) => Math.max(heading.length, longest[at]!)),
    { room },
  );
  if (!widths) return undefined;
  const last = Math.max(
    0,
    longest.findLastIndex((length) => length > 0),
  );
  const shown = columns
    .slice(0, last + 1)
    .map((cells, at) => (longest[at]! <= widths[at]! ? cells : cells.map((cell) => cutTo(cell, widths[at]!))));
  const text = setInColumns(shown, widths);
  // Only where a row says nothing in the last column, blanks stand behind what it says.
  const isTrimmed = !(text.includes(' \n') || text.endsWith(' '));
  const rows = isTrimmed
    ? text
    : text
        .split('\n')
        .map((row) => row.trimEnd())
        .join('\n');
  return { heading: joined(headings, widths), rows };
}

/** The widths of columns that fit in the room, of those that they would like; undefined where that cannot be. */
function fitted(natural: readonly number[], { room, wrapLast = false, kept = 0 }: TableOptions): number[] | undefined {
  const widths = [...natural];
  const end = widths.length - 1;
  const gaps = GAP.length * end;
  const excess = () => widths.reduce((total, width) => total + width, gaps - room);
  if (wrapLast && excess() > 0) widths[end] = Math.max(Math.min(PROSE_MIN, widths[end]!), widths[end]! - excess());
  while (excess() > 0) {
    const cuttable = widths.slice(kept, wrapLast ? end : undefined);
    const widest = Math.max(0, ...cuttable);
    if (widest <= COLUMN_MIN) return undefined;
    widths[kept + cuttable.indexOf(widest)]!--;
  }
  return widths;
}

function joined(cells: readonly string[], widths: readonly number[]): string {
  let line = '';
  for (let at = 0; at < cells.length; at++) line += (at === 0 ? '' : GAP) + padTo(cells[at]!, widths[at]!);
  return line.trimEnd();
}

/** The rows as one text, put together in one step: a text for each cell and row on the way would be made for nothing. */
function setInColumns(columns: readonly (readonly string[])[], widths: readonly number[]): string {
  const blanks = Array.from({ length: Math.max(...widths) + 1 }, (_, length) => ' '.repeat(length) + GAP);
  const step = 2 * columns.length;
  const pieces = new Array<string>(step * columns[0]!.length);
  for (const [at, cells] of columns.entries()) {
    const width = widths[at]!;
    const isLast = at === columns.length - 1;
    for (let row = 0, to = 2 * at; row < cells.length; row++, to += step) {
      const cell = cells[row]!;
      pieces[to] = cell;
      pieces[to + 1] = isLast ? '\n' : blanks[width - cell.length]!;
    }
  }
  // The end of the last line is the page's.
  pieces.pop();
  return pieces.join('');
}

function longestOf(cells: readonly string[]): number {
  let longest = 0;
  for (let at = 0; at < cells.length; at++) {
    const { length } = cells[at]!;
    if (length > longest) longest = length;
  }
  return longest;
}
