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
    const plain = wrapLast ? undefined : plainTable(headings, rows, kept);
    if (plain) {
      const [heading, ...body] = plain;
      this.#lines.push(paint('bold', heading!), ...body);
      return this;
    }
    const cells = rows.map((row) => row.map(printable));
    const widths = widthsOf(headings, cells, widthOf);
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

/** The lines of a plain table, which are not looked at one by one. */
const PLAIN = /^[ -~\u2026\n]*$/;
/** Rows that are put together and looked at as one text. */
const ROWS_A_TEXT = 100;

/**
 * The lines of a table of which every line is plain, as nearly all are, some rows in one text: a text of its own for every cell and
 * line would be copied about by each small collection. Undefined where one is not plain.
 */
function plainTable(headings: readonly string[], rows: readonly (readonly string[])[], kept: number) {
  const widths = widthsOf(headings, rows, lengthOf);
  cutToFit(widths, kept, undefined);
  // What stands behind a cell of each length, which would be made again for every cell otherwise.
  const pads = Array.from({ length: Math.max(...widths) + 1 }, (_, length) => ' '.repeat(length) + GAP);
  const lines = [joined(headings, widths)];
  for (let start = 0; start < rows.length; start += ROWS_A_TEXT) {
    const pieces: string[] = [];
    const end = Math.min(start + ROWS_A_TEXT, rows.length);
    for (let at = start; at < end; at++) addPlain(pieces, rows[at]!, widths, pads);
    // The end of the last line is the page's.
    pieces.pop();
    const text = pieces.join('');
    if (!PLAIN.test(text) || linesIn(text) !== end - start) return undefined;
    lines.push(text);
  }
  return lines;
}

/** `joined` for cells whose length is their width: what it consists of, and the end of the line. */
function addPlain(
  pieces: string[],
  cells: readonly string[],
  widths: readonly number[],
  pads: readonly string[],
): void {
  let last = widths.length - 1;
  while (last > 0 && cells[last]!.length <= widths[last]! && cells[last]!.trimEnd() === '') last--;
  for (let at = 0; at < last; at++) {
    const cell = cells[at]!;
    const left = widths[at]! - cell.length;
    if (left < 0) pieces.push(cell.slice(0, left - 1), '…', GAP);
    else pieces.push(cell, pads[left]!);
  }
  const cell = cells[last]!;
  const left = widths[last]! - cell.length;
  pieces.push(left < 0 ? `${cell.slice(0, left - 1)}…` : cell.trimEnd(), '\n');
}

function linesIn(text: string): number {
  let count = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** How wide each column would like to be. */
function widthsOf(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  measure: (cell: string) => number,
) {
  const widths = headings.map(lengthOf);
  for (const row of rows) {
    for (let at = 0; at < widths.length; at++) {
      const width = measure(row[at]!);
      if (width > widths[at]!) widths[at] = width;
    }
  }
  return widths;
}

/** Cuts the widest columns, from `kept` to before `end`, until a row fits. */
function cutToFit(widths: number[], kept: number, end: number | undefined): void {
  const room = WIDTH - GAP.length * (widths.length - 1);
  for (let excess = sum(widths) - room; excess > 0; excess--) {
    const cuttable = widths.slice(kept, end);
    widths[kept + cuttable.indexOf(Math.max(...cuttable))]!--;
  }
}

function lengthOf(text: string): number {
  return text.length;
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
