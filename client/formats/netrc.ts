import { type Leaf, Malformed, type Read, reading, type Span } from './leaf.ts';

type Word = Span & { readonly text: string };

/** What takes a word behind it. */
const takes: ReadonlySet<string> = new Set(['login', 'password', 'account']);

/**
 * The entries of a netrc, as curl and ftp read it: `machine HOST login USER password SECRET` in any layout, `default`
 * for all hosts, `macdef` to the next empty line. The path is the number of the entry and the word; a cut takes its
 * whole entry and leaves comments and what stands around it.
 */
export function readNetrc(text: string): Read {
  return reading(() => {
    const words = wordsOf(text);
    const leaves: Leaf[] = [];
    let entry = -1;
    for (let at = 0; at < words.length; ) {
      const { text: word, start } = words[at]!;
      if (word !== 'machine' && word !== 'default')
        throw new Malformed(text, start, 'it is not "machine" or "default"');
      const from = at;
      const found: [string, string][] = [];
      entry++;
      if (word === 'machine') found.push(['machine', valueAt(words, ++at, text)]);
      for (at++; takes.has(words[at]?.text ?? ''); at += 2) found.push([words[at]!.text, valueAt(words, at + 1, text)]);
      const cuts = cutsOf(text, words.slice(from, at));
      leaves.push(...found.map(([name, value]) => ({ path: [String(entry), name], value, cuts })));
    }
    return leaves;
  });
}

function valueAt(words: readonly Word[], at: number, text: string): string {
  const word = words[at];
  if (!word) throw new Malformed(text, text.length, 'a word is missing at the end');
  return word.text;
}

/** Words, without comments (a line, or the rest of one, behind `#`) and without macros. */
function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  const pattern = /#[^\n]*|macdef\b[\s\S]*?(?:\n[ \t]*(?=\n|$)|$)|"(?:[^"\\\n]|\\.)*"|\S+/g;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const { 0: word, index: start } = found;
    // A value may begin with `#`; then it stands where no comment can.
    const isValue = takes.has(words.at(-1)?.text ?? '') && !takes.has(words.at(-2)?.text ?? '');
    if (!isValue && /^(?:#|macdef\b)/.test(word)) continue;
    const [whole = ''] = /^["]/.test(word) ? [word] : /^\S+/.exec(word)!;
    const plain = whole.startsWith('"') && whole.length > 1 ? whole.slice(1, -1).replace(/\\(.)/g, '$1') : whole;
    words.push({ start, end: start + whole.length, text: plain });
    pattern.lastIndex = start + whole.length;
  }
  return words;
}

/** The words of an entry with the space between them, in pieces where a comment stands between two of them. */
function cutsOf(text: string, words: readonly Word[]): Span[] {
  const cuts: Span[] = [];
  for (const { start, end } of words) {
    const last = cuts.at(-1);
    if (last && /^\s*$/.test(text.slice(last.end, start))) cuts[cuts.length - 1] = { start: last.start, end };
    else cuts.push({ start, end });
  }
  return cuts.map(({ start, end }) => wholeLines(text, start, end));
}

/** With the indentation before it and the end of the line behind it, where nothing else stands on these lines. */
function wholeLines(text: string, start: number, end: number): Span {
  const [before = ''] = /[ \t]*$/.exec(text.slice(0, start))!;
  const [behind = ''] = /^[ \t]*(?:\r?\n|$)/.exec(text.slice(end)) ?? [];
  const isLineStart = start === before.length || text[start - before.length - 1] === '\n';
  if (isLineStart && (behind !== '' || end === text.length))
    return { start: start - before.length, end: end + behind.length };
  return { start, end };
}
