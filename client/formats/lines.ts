import { toWire } from '../../protocol/text.ts';
import { type BlockEdit, Conflict, type Editor } from './edit.ts';
import { type Leaf, lineAt, type Read } from './leaf.ts';

/** A file of lines, such as git's store of credentials: each that is not empty is a value of its own. */
export function readLines(text: string): Read {
  const leaves: Leaf[] = [];
  for (let at = 0; at < text.length; at = lineAt(text, at).end) {
    const span = lineAt(text, at);
    const value = text.slice(span.start, span.end).replace(/\r?\n$/, '');
    if (value !== '') leaves.push({ path: [String(leaves.length)], value, cuts: [span] });
  }
  return { status: 'ok', leaves };
}

/** Whole lines at the end of a file. */
export const blockEditor: Editor<BlockEdit> = {
  make(text, { text: human, unless }) {
    const lines = toWire(human);
    if (find(text, lines)) return undefined;
    const other = unless === undefined ? undefined : new RegExp(unless, 'm').exec(text)?.[0];
    if (other !== undefined) throw new Conflict(`it has "${other.trim()}" already`);
    return { at: text.length, removed: '', inserted: `${text === '' || text.endsWith('\n') ? '' : '\n'}${lines}` };
  },
  withdraw(text, { text: human }) {
    const found = find(text, toWire(human));
    return found && { at: found.at, removed: text.slice(found.at, found.end), inserted: '' };
  },
};

/** Where `lines` stand in a text, one behind the other, whatever white space is at their ends (an editor's, CR LF). */
function find(text: string, lines: string): { readonly at: number; readonly end: number } | undefined {
  const wanted = lines.replace(/\n$/, '').split('\n').map(trimmed);
  const there = [...text.matchAll(/[^\n]*(?:\n|$)/g)].filter(({ 0: line }) => line !== '');
  const first = there.findIndex((_, at) => wanted.every((line, ahead) => trimmed(there[at + ahead]?.[0]) === line));
  if (first < 0) return undefined;
  const last = there[first + wanted.length - 1]!;
  return { at: there[first]!.index, end: last.index + last[0].length };
}

function trimmed(line: string | undefined): string | undefined {
  return line?.trimEnd();
}
