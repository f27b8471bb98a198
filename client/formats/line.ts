import { fromWire, toWire } from '../../protocol/text.ts';
import { Conflict, type Editor, type LineEdit } from './edit.ts';

/** `key = value` lines of INI and TOML files. A line that begins with a bracket is the head of a section. */
export const lineEditor: Editor<LineEdit> = {
  make(text, edit) {
    const { section, key, value, joint } = wired(edit);
    const lines = linesOf(text);
    const region = regionOf(lines, section);
    const there = region && lines.slice(region.from, region.to).find(({ content }) => keyOf(content) === key);
    if (there) {
      if (isSame(valueIn(there.content), value)) return undefined;
      throw new Conflict(`it has a line for ${fromWire(key)} already`);
    }
    const inserted = `${key}${joint}${value}\n`;
    if (region) {
      // Behind the head of its section, or, where there is none, at the end of what stands before every section.
      const at = section === undefined ? endOf(text, lines, region.to) : (lines[region.from]?.at ?? text.length);
      return { at, removed: '', inserted: `${needsBreak(text, at) ? '\n' : ''}${inserted}` };
    }
    const gap = text === '' ? '' : text.endsWith('\n') ? '\n' : '\n\n';
    return { at: text.length, removed: '', inserted: `${gap}${section}\n${inserted}` };
  },

  withdraw(text, edit, made) {
    const { section, key, value } = wired(edit);
    const lines = linesOf(text);
    const region = regionOf(lines, section);
    const own = lines.slice(region?.from, region?.to).find(({ content }) => keyOf(content) === key);
    if (!region || !own || !isSame(valueIn(own.content), value)) return undefined;
    const rest = lines.slice(region.from, region.to).filter((other) => other !== own && other.content.trim() !== '');
    // The head goes with its last line if it came with it.
    const goesWithHead = section !== undefined && made.inserted.includes(`${section}\n`) && rest.length === 0;
    const from = goesWithHead ? lines[region.from - 1]!.at : own.at;
    return { at: from, removed: text.slice(from, own.end), inserted: '' };
  },
};

type Line = { readonly content: string; readonly at: number; readonly end: number };

function wired({ section, key, value, joint }: LineEdit) {
  return {
    section: section === undefined ? undefined : toWire(section),
    key: toWire(key),
    value: toWire(value),
    joint,
  };
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < text.length; ) {
    const lf = text.indexOf('\n', at);
    const end = lf < 0 ? text.length : lf + 1;
    lines.push({ content: text.slice(at, end).replace(/\r?\n$/, ''), at, end });
    at = end;
  }
  return lines;
}

/** Which lines belong to a section, its head not among them; undefined if it is not there. */
function regionOf(lines: readonly Line[], section: string | undefined): { from: number; to: number } | undefined {
  const from = section === undefined ? 0 : lines.findIndex(({ content }) => headOf(content) === headOf(section)) + 1;
  if (section !== undefined && from === 0) return undefined;
  const next = lines.findIndex(({ content }, at) => at >= from && headOf(content) !== undefined);
  return { from, to: next < 0 ? lines.length : next };
}

/** The name in a section's head, however it is spaced. */
function headOf(content: string): string | undefined {
  return /^\s*\[\s*(.*?)\s*\]\s*(?:[#;].*)?$/.exec(content)?.[1]?.replace(/\s+/g, ' ');
}

/** An indented line goes on with the value of the line before it (AWS' files). */
function keyOf(content: string): string | undefined {
  return /^[^\s#;[][^=]*(?==)/.exec(content)?.[0].trim();
}

function valueIn(content: string): string {
  return content.slice(content.indexOf('=') + 1).trim();
}

/** The same value, also with a comment behind it, or spaced by a formatter (TOML). */
function isSame(there: string, ours: string): boolean {
  const bare = there.replace(/\s+[#;].*$/, '');
  return there === ours || bare === ours || (parsed(ours) !== undefined && parsed(bare) === parsed(ours));
}

/** What a text is as JSON, in one form; undefined where it is none. Of TOML's values ours are JSON as well. */
function parsed(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function endOf(text: string, lines: readonly Line[], to: number): number {
  return to === lines.length ? text.length : lines[to]!.at;
}

function needsBreak(text: string, at: number): boolean {
  return at > 0 && text[at - 1] !== '\n';
}
