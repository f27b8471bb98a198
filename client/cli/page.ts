import { styleText } from 'node:util';
import { inert, printable } from '../../protocol/text.ts';
import { blocks, GAP, plainTable, tableOf } from './table.ts';
import { wrap } from './width.ts';

/** Columns that prose keeps to where the terminal has more. */
const WIDTH = 80;
/** Columns of COLUMNS, else of the terminal; undefined without both. */
const given = (): number | undefined => columnsIn(process.env['COLUMNS']) ?? process.stdout.columns;

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
  /** Columns that a row of a table may take. */
  readonly #room = given() ?? Number.POSITIVE_INFINITY;
  /** Columns that prose keeps to; in fewer than 40 it is left to the terminal. */
  readonly #prose = Math.min(WIDTH, Math.max(40, given() ?? WIDTH));

  /** A paragraph, wrapped; the lines behind the first are indented by `indent`. */
  line(text = '', style?: Style, indent = ''): this {
    for (const line of wrap(printable(text), indent, this.#prose)) this.#lines.push(style ? paint(style, line) : line);
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
      const [first = '', ...rest] = wrap(printable(value), '', this.#prose - indent.length);
      const shown = style ? paint(style, first) : first;
      this.#lines.push(`${paint('dim', label.padEnd(labelWidth))}${GAP}${shown}`.trimEnd());
      for (const line of rest) this.#lines.push(`${indent}${style ? paint(style, line) : line}`);
    }
    return this;
  }

  /**
   * A table. Until a row fits in the terminal, the widest columns are cut with `…`, but for the first `kept`; a last column of
   * prose (`wrapLast`) is wrapped instead. In a terminal that is too narrow for that, each row stands by itself. Without a
   * terminal nothing is cut or wrapped, so that a pipe finds a row by all that it says.
   */
  table(headings: readonly string[], rows: readonly (readonly string[])[], wrapLast = false, kept = 0): this {
    const cells = rows.map((row) => row.map(printable));
    const table = tableOf(headings, cells, { room: this.#room, wrapLast, kept });
    if (table) this.#lines.push(paint('bold', table.heading), ...table.lines);
    else this.#lines.push(...blocks(headings, cells, this.#room));
    return this;
  }

  /** The same table by its columns, for thousands of rows: plain ones, as nearly all are, are put together in few steps. */
  columns(headings: readonly string[], columns: readonly (readonly string[])[]): this {
    const plain = plainTable(headings, columns, { room: this.#room });
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

/** A number of columns as environ(7) has it; undefined for what is none. */
function columnsIn(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;
}
