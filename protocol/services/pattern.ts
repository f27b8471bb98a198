import { KeyholdError } from '../errors.ts';

/**
 * The patterns of manifests: literals, `[…]` classes, `\d \w`, `.` (any visible ASCII byte), groups, `|`, and `? * +
 * {n} {n,} {n,m}`. They are run over bytes, so that a secret is never a string, and always over the whole value. The
 * time is bounded by states times bytes: no pattern can make it explode, and a quantifier inside another is refused
 * anyway, because it is never what somebody meant.
 */
export type Pattern = { readonly states: readonly State[] };

/** Where to go: to `next` on one of `bytes`, or without a byte to each of `free`. */
type State = { readonly bytes: ByteSet | undefined; next: number; free: number[] };
type ByteSet = readonly boolean[];

/** Characters of a pattern, states that it may have, and bytes that it is ever run over. */
export const PATTERN_MAX = 256;
const STATES_MAX = 2_048;
export const VALUE_MAX = 65_536;

const BYTES = 128;
const GROUP_DEPTH_MAX = 8;

/** Reads a pattern. Throws `bad_request` that says what of it cannot be. */
export function patternOf(text: string): Pattern {
  if (text.length > PATTERN_MAX) throw unfit(`it is longer than ${PATTERN_MAX} characters`);
  const builder = new Builder();
  const { node, at } = readAlternatives(text, 0, 0);
  if (at < text.length) throw unfit('it has a ")" without its "("');
  const end = builder.state();
  const start = builder.add(node, end);
  // The matcher begins in state 0.
  return { states: [{ bytes: undefined, next: -1, free: [start + 1] }, ...builder.shifted()] };
}

/** Whether all of `value` is what the pattern describes. More than `VALUE_MAX` bytes never are. */
export function matches({ states }: Pattern, value: Uint8Array): boolean {
  if (value.length > VALUE_MAX) return false;
  let here = new Set<number>();
  enter(states, here, 0);
  for (const byte of value) {
    const there = new Set<number>();
    for (const at of here) {
      const { bytes, next } = states[at]!;
      if (bytes?.[byte] === true) enter(states, there, next);
    }
    if (there.size === 0) return false;
    here = there;
  }
  return here.has(1);
}

/** Adds a state and all that lie behind it without a byte. */
function enter(states: readonly State[], here: Set<number>, first: number): void {
  const open = [first];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (here.has(at)) continue;
    here.add(at);
    open.push(...states[at]!.free);
  }
}

type Node =
  | { readonly is: 'byte'; readonly bytes: ByteSet }
  | { readonly is: 'sequence' | 'choice'; readonly nodes: readonly Node[] }
  | { readonly is: 'repeat'; readonly node: Node; readonly min: number; readonly max: number };

class Builder {
  readonly #states: State[] = [];

  state(bytes?: ByteSet, next = -1): number {
    if (this.#states.length >= STATES_MAX) throw unfit(`it describes more than ${STATES_MAX} bytes`);
    return this.#states.push({ bytes, next, free: [] }) - 1;
  }

  /** The state from which `node` leads to `end`. */
  add(node: Node, end: number): number {
    switch (node.is) {
      case 'byte':
        return this.state(node.bytes, end);
      case 'sequence':
        return node.nodes.reduceRight((behind, part) => this.add(part, behind), end);
      case 'choice': {
        const start = this.state();
        this.#free(start, ...node.nodes.map((part) => this.add(part, end)));
        return start;
      }
      case 'repeat':
        return this.#repeat(node.node, node.min, node.max, end);
    }
  }

  #repeat(node: Node, min: number, max: number, end: number): number {
    let at = end;
    if (max === Number.POSITIVE_INFINITY) {
      at = this.state();
      this.#free(at, this.add(node, at), end);
    } else {
      for (let count = min; count < max; count++) {
        const start = this.state();
        this.#free(start, this.add(node, at), end);
        at = start;
      }
    }
    for (let count = 0; count < min; count++) at = this.add(node, at);
    return at;
  }

  #free(from: number, ...to: number[]): void {
    this.#states[from]!.free.push(...to);
  }

  /** The states, each one place further, to leave place for the first. */
  shifted(): State[] {
    return this.#states.map(({ bytes, next, free }) => ({ bytes, next: next + 1, free: free.map((at) => at + 1) }));
  }
}

type Read<T> = { readonly node: T; readonly at: number };

function readAlternatives(text: string, from: number, depth: number): Read<Node> {
  if (depth > GROUP_DEPTH_MAX) throw unfit(`its groups are more than ${GROUP_DEPTH_MAX} deep`);
  const nodes: Node[] = [];
  let sequence: Node[] = [];
  let at = from;
  for (; at < text.length && text[at] !== ')'; ) {
    if (text[at] === '|') {
      nodes.push({ is: 'sequence', nodes: sequence });
      sequence = [];
      at++;
      continue;
    }
    const atom = readAtom(text, at, depth);
    const repeated = readQuantifier(text, atom);
    sequence.push(repeated.node);
    at = repeated.at;
  }
  nodes.push({ is: 'sequence', nodes: sequence });
  return { node: nodes.length === 1 ? nodes[0]! : { is: 'choice', nodes }, at };
}

function readAtom(text: string, at: number, depth: number): Read<Node> {
  const character = text[at]!;
  switch (character) {
    case '(': {
      const inner = text.startsWith('?:', at + 1) ? at + 3 : at + 1;
      if (text[inner] === '?') throw unfit('it looks ahead or behind');
      const group = readAlternatives(text, inner, depth + 1);
      if (text[group.at] !== ')') throw unfit('it has a "(" without its ")"');
      return { node: group.node, at: group.at + 1 };
    }
    case '[':
      return readClass(text, at + 1);
    case '.':
      return { node: byteOf(range(0x21, 0x7e)), at: at + 1 };
    case '\\': {
      const [set, next] = readEscape(text, at + 1);
      return { node: byteOf(set), at: next };
    }
  }
  if ('^$'.includes(character)) throw unfit('it has "^" or "$": a pattern is always about the whole value');
  if ('*+?{}]'.includes(character)) throw unfit(`it has a "${character}" with nothing before it; write \\${character}`);
  return { node: byteOf(only(character)), at: at + 1 };
}

function readQuantifier(text: string, { node, at }: Read<Node>): Read<Node> {
  const found = /^(?:[?*+]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})/.exec(text.slice(at, at + 12));
  if (!found) {
    if (text[at] === '{') throw unfit('it has a "{" that is no {n}, {n,} or {n,m}');
    return { node, at };
  }
  const [quantifier, least, comma, most] = found;
  const next = at + quantifier.length;
  if (/^[?*+{]/.test(text.slice(next))) throw unfit('it has two quantifiers in a row');
  if (hasRepeat(node)) throw unfit('it has a quantifier inside another');
  const min = least === undefined ? (quantifier === '+' ? 1 : 0) : Number(least);
  const unbounded = quantifier === '*' || quantifier === '+' || (comma !== undefined && most === undefined);
  const max = unbounded ? Number.POSITIVE_INFINITY : quantifier === '?' ? 1 : Number(most ?? least);
  if (max < min) throw unfit('it has a {n,m} whose m is smaller than its n');
  return { node: { is: 'repeat', node, min, max }, at: next };
}

function hasRepeat(node: Node): boolean {
  if (node.is === 'repeat') return true;
  return node.is !== 'byte' && node.nodes.some(hasRepeat);
}

function readClass(text: string, from: number): Read<Node> {
  const set: boolean[] = new Array(BYTES).fill(false);
  const negated = text[from] === '^';
  let at = negated ? from + 1 : from;
  for (let first = true; text[at] !== ']'; first = false) {
    const character = text[at];
    if (character === undefined) throw unfit('it has a "[" without its "]"');
    if (character === '-' && !first && text[at + 1] !== ']') throw unfit('it has a range without its beginning');
    const [low, next] = character === '\\' ? readEscape(text, at + 1) : [only(character), at + 1];
    at = next;
    if (text[at] !== '-' || text[at + 1] === ']' || text[at + 1] === undefined) {
      merge(set, low);
      continue;
    }
    const [high, end] = text[at + 1] === '\\' ? readEscape(text, at + 2) : [only(text[at + 1]!), at + 2];
    const [start, stop] = [single(low), single(high)];
    if (start > stop) throw unfit('it has a range that runs backwards');
    merge(set, range(start, stop));
    at = end;
  }
  const bytes = negated ? set.map((has, byte) => !has && byte >= 0x21 && byte <= 0x7e) : set;
  if (!bytes.includes(true)) throw unfit('it has an empty class');
  return { node: byteOf(bytes), at: at + 1 };
}

function readEscape(text: string, at: number): [ByteSet, number] {
  const character = text[at];
  if (character === 'd') return [range(0x30, 0x39), at + 1];
  if (character === 'w') {
    const set = [...range(0x30, 0x39)];
    merge(set, range(0x41, 0x5a));
    merge(set, range(0x61, 0x7a));
    merge(set, only('_'));
    return [set, at + 1];
  }
  if (character === undefined || /[A-Za-z0-9]/.test(character)) throw unfit('it has an escape other than \\d and \\w');
  return [only(character), at + 1];
}

function byteOf(bytes: ByteSet): Node {
  return { is: 'byte', bytes };
}

function only(character: string): ByteSet {
  const code = character.charCodeAt(0);
  if (code < 0x20 || code > 0x7e) throw unfit('it holds a character that is not printable ASCII');
  return range(code, code);
}

function range(from: number, to: number): ByteSet {
  return Array.from({ length: BYTES }, (_, byte) => byte >= from && byte <= to);
}

function merge(into: boolean[], from: ByteSet): void {
  for (let byte = 0; byte < BYTES; byte++) into[byte] ||= from[byte] === true;
}

function single(set: ByteSet): number {
  const first = set.indexOf(true);
  if (first !== set.lastIndexOf(true)) throw unfit('it has a range between classes');
  return first;
}

function unfit(rule: string): KeyholdError {
  return new KeyholdError('bad_request', `cannot read the pattern: ${rule}`);
}
