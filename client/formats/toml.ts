import { toWire } from '../../protocol/text.ts';
import { Cursor } from './cursor.ts';
import { cutOf, DEPTH_MAX, type Leaf, lineAt, type Read, reading, type Span } from './leaf.ts';

const BLANK = /(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:#[^\n]*$)?/y;
/** Between the elements of a list, where lines may end and comments stand. */
const GAP = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const SPACE = /[ \t]*/y;
const END = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;
const BARE = /[A-Za-z0-9_-]+/y;
const BASIC = /"(?:[^"\\\n]|\\.)*"/y;
const LITERAL = /'[^'\n]*'/y;
const LONG_BASIC = /"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}/y;
const LONG_LITERAL = /'''(?:[^']|'{1,2}(?!'))*'{3,5}/y;
/** Numbers, booleans and dates, which no token is. */
const OTHER = /[+\-\w.:]+(?: \d\d:[\d:.]+Z?)?/y;

/** The values of a TOML text (TOML 1.0) with the places where they stand. Tables in lists count from 0. */
export function readToml(text: string): Read {
  return reading(() => new Scanner(text).document());
}

class Scanner extends Cursor {
  readonly #leaves: Leaf[] = [];
  readonly #counts = new Map<string, number>();

  document(): Leaf[] {
    let table: readonly string[] = [];
    for (this.match(BLANK); this.at < this.text.length; this.match(BLANK)) {
      if (this.text[this.at] === '[') table = this.#header();
      else this.#pair(table);
      if (this.match(END) === undefined) throw this.malformed('something stands behind the end of the value');
    }
    return this.#leaves;
  }

  #header(): readonly string[] {
    const isList = this.text.startsWith('[[', this.at);
    this.at += isList ? 2 : 1;
    const path = this.#key();
    this.#expect(isList ? ']]' : ']');
    if (!isList) return path;
    const name = JSON.stringify(path);
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    return [...path, String(count)];
  }

  /** A line of its own, which goes as a whole where it is cut. */
  #pair(table: readonly string[]): void {
    const { start } = lineAt(this.text, this.at);
    const leaf = this.#member(table, 0);
    const { end } = lineAt(this.text, this.at);
    if (leaf !== undefined) this.#leaves[leaf] = { ...this.#leaves[leaf]!, cuts: [{ start, end }] };
  }

  #member(table: readonly string[], depth: number): number | undefined {
    const path = [...table, ...this.#key()];
    this.#expect('=');
    return this.#value(path, depth);
  }

  #key(): readonly string[] {
    const path: string[] = [];
    do {
      if (path.length > 0) this.at++;
      this.match(SPACE);
      const basic = this.match(BASIC);
      const quoted = basic === undefined ? this.match(LITERAL)?.slice(1, -1) : this.#unescaped(basic.slice(1, -1));
      const name = quoted ?? this.match(BARE);
      if (name === undefined) throw this.malformed('a name is missing');
      path.push(name);
      this.match(SPACE);
    } while (this.text[this.at] === '.');
    return path;
  }

  #value(path: readonly string[], depth: number): number | undefined {
    if (depth > DEPTH_MAX) throw this.malformed('it is nested too deeply');
    this.match(SPACE);
    const begin = this.text[this.at];
    if (begin === '[' || begin === '{') {
      this.#list(path, depth, begin);
      return undefined;
    }
    const value = this.#string() ?? this.match(OTHER);
    if (value === undefined) throw this.malformed('a value is missing');
    return this.#leaves.push({ path, value, cuts: undefined }) - 1;
  }

  #list(path: readonly string[], depth: number, open: '[' | '{'): void {
    const close = open === '{' ? '}' : ']';
    const start = ++this.at;
    const elements: Span[] = [];
    const leaves: (number | undefined)[] = [];
    this.match(GAP);
    while (this.text[this.at] !== close) {
      if (elements.length > 0) {
        this.#expect(',');
        this.match(GAP);
        if (this.text[this.at] === close) break;
      }
      const from = this.at;
      const leaf =
        open === '{' ? this.#member(path, depth + 1) : this.#value([...path, String(elements.length)], depth + 1);
      leaves.push(leaf);
      elements.push({ start: from, end: this.at });
      this.match(GAP);
    }
    const listed = { inside: { start, end: this.at++ }, elements };
    leaves.forEach((leaf, at) => {
      if (leaf !== undefined) this.#leaves[leaf] = { ...this.#leaves[leaf]!, cuts: [cutOf(listed, at)] };
    });
  }

  #string(): string | undefined {
    const long = this.match(LONG_BASIC);
    if (long !== undefined) return this.#unescaped(long.slice(3, -3).replace(/^\r?\n/, ''));
    const literal = this.match(LONG_LITERAL);
    if (literal !== undefined) return literal.slice(3, -3).replace(/^\r?\n/, '');
    const basic = this.match(BASIC);
    return basic === undefined ? this.match(LITERAL)?.slice(1, -1) : this.#unescaped(basic.slice(1, -1));
  }

  #unescaped(inner: string): string {
    return inner.replace(
      /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[ \t]*\r?\n\s*|([\s\S]))/g,
      (_, u, U, one: string) => {
        const code: string | undefined = u ?? U;
        if (code !== undefined && Number.parseInt(code, 16) <= 0x10ffff)
          return toWire(String.fromCodePoint(Number.parseInt(code, 16)));
        if (one === undefined && code === undefined) return '';
        const plain = escapes[one];
        if (plain === undefined) throw this.malformed('an escape is none of TOML');
        return plain;
      },
    );
  }

  #expect(mark: string): void {
    this.match(SPACE);
    if (!this.text.startsWith(mark, this.at)) throw this.malformed(`"${mark}" is missing`);
    this.at += mark.length;
  }
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  e: '\x1b',
  '"': '"',
  '\\': '\\',
};
