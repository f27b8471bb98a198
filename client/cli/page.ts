import { styleText } from 'node:util';
import { printable } from '../../protocol/text.ts';

/** Columns that text for people keeps to. */
const WIDTH = 80;
const GAP = '  ';

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';

/**
 * Shows the outcome of a command: `document` as one JSON document, or text for people. Every foreign string that is
 * drawn has passed `printable`; the methods of a page see to that themselves.
 */
export function show(json: boolean | undefined, document: unknown, draw: (page: Page) => void): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    return;
  }
  const page = new Page();
  draw(page);
  process.stdout.write(page.text());
}

/** Text for people, at most 80 columns wide, with colour only where the terminal takes it and NO_COLOR is not set. */
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
      const [first = '', ...rest] = wrap(printable(value), '', WIDTH - indent.length);
      const shown = style ? paint(style, first) : first;
      this.#lines.push(`${paint('dim', label.padEnd(labelWidth))}${GAP}${shown}`.trimEnd());
      for (const line of rest) this.#lines.push(`${indent}${style ? paint(style, line) : line}`);
    }
    return this;
  }

  /** A table; the widest columns are cut with `…` until a row fits. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): this {
    const cells = rows.map((row) => row.map(printable));
    const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => widthOf(row[at]!))));
    const room = WIDTH - GAP.length * (headings.length - 1);
    for (let excess = sum(widths) - room; excess > 0; excess--) widths[widths.indexOf(Math.max(...widths))]!--;
    const draw = (row: readonly string[]) =>
      row
        .map((cell, at) => padTo(cell, widths[at]!))
        .join(GAP)
        .trimEnd();
    this.#lines.push(paint('bold', draw(headings)));
    for (const row of cells) this.#lines.push(draw(row));
    return this;
  }

  text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }
}

/** One line on standard error. */
export function remark(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

function wrap(text: string, indent: string, width = WIDTH): string[] {
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

function widthOf(text: string): number {
  return [...text].length;
}

function padTo(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text + ' '.repeat(width - characters.length);
  return `${characters.slice(0, width - 1).join('')}…`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
