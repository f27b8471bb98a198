import stringWidth from 'string-width';

/** Text of which every character takes one column and is one of UTF-16: nearly all of it, and much cheaper to measure. */
const NARROW = /^[ -~\u2026]*$/;

/** Whether a text takes as many columns as it has characters. */
export function isNarrow(text: string): boolean {
  return NARROW.test(text);
}

/** Columns that a text takes in a terminal: two for what East Asian Width and emoji say, none for what combines. */
export function widthOf(text: string): number {
  return NARROW.test(text) ? text.length : stringWidth(text);
}

/** A text in exactly so many columns: filled up with blanks, or cut behind a whole character and marked with `…`. */
export function padTo(text: string, width: number): string {
  const own = widthOf(text);
  if (own <= width) return text + ' '.repeat(width - own);
  const cut = cutTo(text, width);
  return cut + ' '.repeat(width - widthOf(cut));
}

/** A text in at most so many columns, marked with `…` where it was cut. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (NARROW.test(text)) return `${text.slice(0, width - 1)}…`;
  let kept = '';
  let room = width - 1;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    room -= widthOf(segment);
    if (room < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** A text in lines of at most `width` columns, broken at blanks only; the lines behind the first are indented by `indent`. */
export function wrap(text: string, indent: string, width: number): string[] {
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
