import { styleText } from 'node:util';
import { inert, printable } from '../../protocol/text.ts';

/** Columns that a table keeps to, and prose where the terminal is not narrower. */
const WIDTH = 80;
/** Columns that prose keeps to; in fewer than 40 it is left to the terminal. */
const PROSE = Math.min(WIDTH, Math.max(40, process.stdout.columns ?? WIDTH));
const GAP = '  ';
/** The least for a column of prose. */
const PROSE_MIN = 24;

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';

/**
 * Shows the outcome of a command: `document` as one JSON document, or text for people. Every foreign string that is
 * drawn has passed `printable`; the methods of a page see to that themselves.
 */
export function show(json: boolean | undefined, document: unknown, draw: (page: Page) => void): void {
  if (json) {
    process.stdout.write(`${jsonText(document)}\n`);
    return;
  }
  const page = new Page();
  draw(page);
  process.stdout.write(page.text());
}

/** JSON in which every character that could steer a terminal is escaped; JSON.stringify leaves most of them as they are. */
export function jsonText(document: unknown): string {
  return inert(JSON.stringify(document, undefined, 2));
}

/** The same on one line. */
export function jsonLine(document: unknown): string {
  return inert(JSON.stringify(document));
}

/** Text for people, at most 80 columns wide and no wider than the terminal (tables aside), with colour only where the terminal takes it and NO_COLOR is not set. */
export class Page {
  readonly #lines: string[] = [];

  /** A paragraph, wrapped; the lines behind the first are indented by `indent`. */
  line(text = '', style?: Style, indent = ''): this {
    for (const line of wrap(printable(text), indent)) this.#lines.push(style ? paint(style, line) : line);
    return this;
  }

  /** A line that must stay in one piece, because it is meant to be copied: a command, a path. */
  verbatim(text: string): this {
    this.#lines.push(printable(text));
    return this;
  }

  /** Labels and what stands for them, in two columns. */
  facts(facts: readonly (readonly [label: string, value: string, style?: Style])[]): this {
    const labelWidth = Math.max(...facts.map(([label]) => label.length));
    for (const [label, value, style] of facts) {
      const indent = ' '.repeat(labelWidth + GAP.length);
      const [first = '', ...rest] = wrap(printable(value), '', PROSE - indent.length);
      const shown = style ? paint(style, first) : first;
      this.#lines.push(`${paint('dim', label.padEnd(labelWidth))}${GAP}${shown}`.trimEnd());
      for (const line of rest) this.#lines.push(`${indent}${style ? paint(style, line) : line}`);
    }
    return this;
  }

  /**
   * A table. Until a row fits, the widest columns are cut with `…`, but for the first `kept`; a last column of prose
   * (`wrapLast`) is wrapped instead.
   */
  table(headings: readonly string[], rows: readonly (readonly string[])[], wrapLast = false, kept = 0): this {
    const cells = rows.map((row) => row.map(printable));
    const widths = widthsOf(headings, cells);
    const last = widths.length - 1;
    if (wrapLast) widths[last] = Math.max(PROSE_MIN, WIDTH - GAP.length * last - sum(widths.slice(0, last)));
    cutToFit(widths, kept, wrapLast ? last : undefined);
    this.#lines.push(paint('bold', joined(headings, widths)));
    for (const row of cells) {
      if (!wrapLast) {
        this.#lines.push(joined(row, widths));
        continue;
      }
      const [first, ...rest] = wrap(row[last]!, '', widths[last]);
      this.#lines.push(joined([...row.slice(0, last), first!], widths));
      for (const line of rest) this.#lines.push(joined([...row.slice(0, last).fill(''), line], widths));
    }
    return this;
  }

  /** The same table by its columns, for thousands of rows: plain ones, as nearly all are, are put together in few steps. */
  columns(headings: readonly string[], columns: readonly (readonly string[])[]): this {
    const plain = plainTable(headings, columns);
    if (!plain) return this.table(headings, columns[0]?.map((_, row) => columns.map((cells) => cells[row]!)) ?? []);
    this.#lines.push(paint('bold', plain.heading));
    if (columns[0]!.length > 0) this.#lines.push(plain.rows);
    return this;
  }

  text(): string {
    // Put together once: the text of a long table is long.
    return this.#lines.length === 0 ? '' : [...this.#lines, ''].join('\n');
  }
}

/** One line for standard output, where lines come one by one. */
export function line(text: string): string {
  return `${printable(text)}\n`;
}

/** One line on standard error. */
export function remark(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

function wrap(text: string, indent: string, width = PROSE): string[] {
  const lines: string[] = [];
  const [first = ''] = /^ */.exec(text) ?? [];
  let line = first;
  for (const word of text.slice(first.length).split(' ')) {
    const longer = line.trim() === '' ? `${line}${word}` : `${line} ${word}`;
    if (widthOf(longer) <= width || line.trim() === '') {
      line = longer;
      continue;
    }
    lines.push(line);
    line = `${indent}${word}`;
  }
  lines.push(line);
  return lines;
}

function joined(cells: readonly string[], widths: readonly number[]): string {
  let line = '';
  for (let at = 0; at < cells.length; at++) line += (at === 0 ? '' : GAP) + padTo(cells[at]!, widths[at]!);
  return line.trimEnd();
}

/** Text of which every character is one of UTF-16: nearly all of it, and much cheaper to measure. */
const NARROW = /^[ -~\u2026]*$/;

/** Heading and rows of a table of which every cell is plain; undefined where one is not. */
function plainTable(headings: readonly string[], columns: readonly (readonly string[])[]) {
  const texts = columns.map((cells) => cells.join(''));
  if (!texts.every((text) => NARROW.test(text))) return undefined;
  const longest = columns.map((cells, at) => (texts[at] === '' ? 0 : longestOf(cells)));
  const widths = headings.map((heading, at) => Math.max(heading.length, longest[at]!));
  cutToFit(widths, 0, undefined);
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

/** `padTo` for a plain cell that is too long, or as it is. */
function cutTo(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, width - 1)}…`;
}

/** How wide each column would like to be. */
function widthsOf(headings: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return headings.map((heading, at) =>
    rows.reduce((widest, row) => Math.max(widest, widthOf(row[at]!)), heading.length),
  );
}

/** Cuts the widest columns, from `kept` to before `end`, until a row fits. */
function cutToFit(widths: number[], kept: number, end: number | undefined): void {
  const room = WIDTH - GAP.length * (widths.length - 1);
  for (let excess = sum(widths) - room; excess > 0; excess--) {
    const cuttable = widths.slice(kept, end);
    widths[kept + cuttable.indexOf(Math.max(...cuttable))]!--;
  }
}

function widthOf(text: string): number {
  return NARROW.test(text) ? text.length : [...text].length;
}

function padTo(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text + ' '.repeat(width - characters.length);
  return `${characters.slice(0, width - 1).join('')}…`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
