import { toWire } from '../../protocol/text.ts';
import { Cursor } from './cursor.ts';
import { cutOf, DEPTH_MAX, type Leaf, type Read, reading, type Span } from './leaf.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON does not take
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/** The strings, numbers and booleans of a JSON text (RFC 8259), with the places where they stand. */
export function readJson(text: string): Read {
  return reading(() => new Scanner(text).document());
}

class Scanner extends Cursor {
  readonly #leaves: Leaf[] = [];

  document(): Leaf[] {
    this.match(SPACE);
    this.#value([], 0);
    this.match(SPACE);
    if (this.at < this.text.length) throw this.malformed('something stands behind the end of the JSON');
    return this.#leaves;
  }

  /** Reads one value and notes the leaves in it; answers the place of its leaf, if it is one itself. */
  #value(path: readonly string[], depth: number): number | undefined {
    if (depth > DEPTH_MAX) throw this.malformed('it is nested too deeply');
    const begin = this.text[this.at];
    if (begin === '{' || begin === '[') {
      this.#list(path, depth, begin === '{');
      return undefined;
    }
    const value = begin === '"' ? this.#string() : this.match(OTHER);
    if (value === undefined) throw this.malformed('a value is missing');
    if (begin !== '"' && value === 'null') return undefined;
    return this.#leaves.push({ path, value, cuts: undefined }) - 1;
  }

  #list(path: readonly string[], depth: number, isObject: boolean): void {
    const close = isObject ? '}' : ']';
    const start = ++this.at;
    const elements: Span[] = [];
    const leaves: (number | undefined)[] = [];
    const names = new Set<string>();
    this.match(SPACE);
    while (this.text[this.at] !== close) {
      if (elements.length > 0) {
        if (this.text[this.at] !== ',') throw this.malformed(`"," or "${close}" is missing`);
        this.at++;
        this.match(SPACE);
      }
      const from = this.at;
      const name = isObject ? this.#name(names) : String(elements.length);
      leaves.push(this.#value([...path, name], depth + 1));
      elements.push({ start: from, end: this.at });
      this.match(SPACE);
    }
    const listed = { inside: { start, end: this.at++ }, elements };
    leaves.forEach((leaf, at) => {
      if (leaf !== undefined) this.#leaves[leaf] = { ...this.#leaves[leaf]!, cuts: [cutOf(listed, at)] };
    });
  }

  /** The name of a member. Of two with one name every program takes another. */
  #name(names: Set<string>): string {
    const name = this.text[this.at] === '"' ? this.#string() : undefined;
    if (name === undefined) throw this.malformed('a name in quotes is missing');
    if (names.has(name)) throw this.malformed('a name stands there twice');
    names.add(name);
    this.match(SPACE);
    if (this.text[this.at] !== ':') throw this.malformed('":" is missing');
    this.at++;
    this.match(SPACE);
    return name;
  }

  #string(): string | undefined {
    const quoted = this.match(STRING);
    if (quoted === undefined) return undefined;
    // Only what is written as an escape is a code point; all else are bytes already.
    return quoted.slice(1, -1).replace(/(?:\\u[0-9a-fA-F]{4})+|\\./g, (one) => toWire(JSON.parse(`"${one}"`)));
  }
}
