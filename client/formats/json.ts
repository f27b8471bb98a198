import { type Node, type ParseError, parseTree } from 'jsonc-parser';
import { toWire } from '../../protocol/text.ts';
import { Conflict, type Editor, type JsonEdit } from './edit.ts';
import { cutOf, DEPTH_MAX, type Leaf, Malformed, type Read, reading, type Span } from './leaf.ts';

/** What jsonc-parser finds wrong (its ParseErrorCode, a const enum that cannot be imported), in our words. */
const rules: Readonly<Record<number, string>> = {
  3: 'a name in quotes is missing',
  4: 'a value is missing',
  5: '":" is missing',
  6: '"," or "}" is missing',
  7: '"," or "}" is missing',
  8: '"," or "]" is missing',
  9: 'something stands behind the end of the JSON',
};
const INVALID_SYMBOL = 1;

/** The strings, numbers and booleans of a JSON text (RFC 8259), with the places where they stand. */
export function readJson(text: string): Read {
  return reading(() => {
    const leaves: Leaf[] = [];
    collect(text, documentOf(text), [], undefined, leaves);
    return leaves;
  });
}

/** The document of a text. Throws `Malformed` where JSON ends: no comments, no comma behind the last member. */
function documentOf(text: string): Node {
  const errors: ParseError[] = [];
  const root = treeOf(text, errors);
  const [first] = errors;
  if (first === undefined && root !== undefined) return root;
  const { offset = text.length } = first ?? {};
  // Behind a character that JSON does not have comes what it stands in the place of, unless the text ends there.
  const named = first?.error === INVALID_SYMBOL ? errors.find(({ error }) => error in rules) : first;
  const isBehind = root !== undefined && offset >= root.offset + root.length;
  throw new Malformed(text, offset, rules[named?.error ?? 0] ?? (isBehind ? rules[9]! : 'a value is missing'));
}

function treeOf(text: string, errors: ParseError[]): Node | undefined {
  try {
    return parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
  } catch (error) {
    // The library calls itself for each level.
    if (error instanceof RangeError) throw new Malformed(text, 0, 'it is nested too deeply');
    throw error;
  }
}

function collect(
  text: string,
  node: Node,
  path: readonly string[],
  cuts: readonly Span[] | undefined,
  leaves: Leaf[],
): void {
  if (path.length > DEPTH_MAX) throw new Malformed(text, node.offset, 'it is nested too deeply');
  const { type, children = [] } = node;
  if (type !== 'object' && type !== 'array') {
    if (type !== 'null') leaves.push({ path, value: textOf(text, node), cuts });
    return;
  }
  const inside = { start: node.offset + 1, end: node.offset + node.length - 1 };
  const elements = children.map(spanOf);
  const names = new Set<string>();
  for (const [at, child] of children.entries()) {
    const name = type === 'array' ? String(at) : textOf(text, child.children![0]!);
    // Of two with one name every program takes another.
    if (names.has(name)) throw new Malformed(text, child.offset, 'a name stands there twice');
    names.add(name);
    const value = type === 'array' ? child : child.children![1]!;
    collect(text, value, [...path, name], [cutOf({ inside, elements }, at)], leaves);
  }
}

function spanOf({ offset, length }: Node): Span {
  return { start: offset, end: offset + length };
}

/** A scalar as wire text: what is written as an escape is a code point; all else are bytes already. */
function textOf(text: string, { type, offset, length }: Node): string {
  const written = text.slice(offset, offset + length);
  if (type !== 'string') return written;
  return written.slice(1, -1).replace(/(?:\\u[0-9a-fA-F]{4})+|\\./g, (one) => toWire(JSON.parse(`"${one}"`)));
}

/** Members of a JSON object, put in and taken out without a look at how the rest is written. */
export const jsonEditor: Editor<JsonEdit> = {
  make(text, { path, value }) {
    const steps = path.map(toWire);
    if (text.trim() === '') return { at: text.length, removed: '', inserted: `${written(steps, value, '\n', '\t')}\n` };
    let object = rootOf(text);
    for (const [depth, step] of steps.entries()) {
      const member = memberOf(text, object, step);
      if (!member) return insertion(text, object, steps.slice(depth), value);
      if (depth === steps.length - 1) {
        if (isValue(text, member, value)) return undefined;
        throw new Conflict(`it has "${path.join('" › "')}" already`);
      }
      if (member.value.type !== 'object') throw new Conflict(`its "${path[depth]}" is no object`);
      object = member.value;
    }
    return undefined;
  },

  withdraw(text, { path, value }, made) {
    const steps = path.map(toWire);
    const way: { readonly object: Node; readonly member: Member }[] = [];
    let object: Node | undefined = text.trim() === '' ? undefined : rootOf(text);
    for (const step of steps) {
      const member: Member | undefined = object && memberOf(text, object, step);
      if (!object || !member) return undefined;
      way.push({ object, member });
      object = member.value.type === 'object' ? member.value : undefined;
    }
    if (!isValue(text, way.at(-1)!.member, value)) return undefined;
    // The objects that came with it go with it, if nothing else is in them.
    let depth = steps.length - 1;
    const cameWithIt = (step: string) => made.inserted.includes(`${JSON.stringify(step)}: {`);
    while (depth > 0 && way[depth]!.object.children!.length === 1 && cameWithIt(steps[depth - 1]!)) depth--;
    const { object: from, member } = way[depth]!;
    const inside = { start: from.offset + 1, end: from.offset + from.length - 1 };
    const { start, end } = cutOf({ inside, elements: from.children!.map(spanOf) }, member.at);
    return { at: start, removed: text.slice(start, end), inserted: '' };
  },
};

/** A member of an object: which one it is, and the node of its value. */
type Member = { readonly at: number; readonly value: Node };

function rootOf(text: string): Node {
  try {
    const root = documentOf(text);
    if (root.type === 'object') return root;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
  throw new Conflict('it is not a JSON object');
}

/** The first member of that name; `name` is wire text. */
function memberOf(text: string, object: Node, name: string): Member | undefined {
  const at = object.children!.findIndex(({ children }) => textOf(text, children![0]!) === name);
  return at < 0 ? undefined : { at, value: object.children![at]!.children![1]! };
}

function isValue(text: string, { value: node }: Member, value: string): boolean {
  return node.type === 'string' && textOf(text, node) === toWire(value);
}

/** As the first member, in the manner of those that are there. */
function insertion(text: string, object: Node, steps: readonly string[], value: string) {
  const at = object.offset + 1;
  const [manner = ''] = /^\s*/.exec(text.slice(at)) ?? [];
  const name = JSON.stringify(steps[0]);
  if (object.children!.length === 0) {
    // Between the braces stands white space at most.
    const outer = /\n([ \t]*)[^\n]*$/.exec(text.slice(0, at))?.[1] ?? '';
    const inner = `\n${outer}\t`;
    const member = `${inner}${name}: ${written(steps.slice(1), value, inner, '\t')}\n${outer}`;
    return { at, removed: manner, inserted: member };
  }
  const isSpread = manner.includes('\n');
  const unit = isSpread ? unitOf(text, object, manner) : '';
  const break_ = isSpread ? manner : '';
  const member = `${name}: ${written(steps.slice(1), value, break_, unit)},${isSpread ? '' : ' '}`;
  return { at: at + (isSpread ? manner.length : 0), removed: '', inserted: isSpread ? `${member}${manner}` : member };
}

/** A value with the objects around it; `break_` is the line break and indent of the place, empty for one line. */
function written(steps: readonly string[], value: string, break_: string, unit: string): string {
  if (steps.length === 0) return toWire(JSON.stringify(value));
  const inner = break_ === '' ? '' : `${break_}${unit}`;
  const rest = written(steps.slice(1), value, inner, unit);
  return `{${inner}${JSON.stringify(steps[0])}: ${rest}${break_}}`;
}

/** How much deeper an object's members stand than its closing brace. */
function unitOf(text: string, { offset, length }: Node, manner: string): string {
  const indent = manner.slice(manner.lastIndexOf('\n') + 1);
  const outer = /\n([ \t]*)$/.exec(text.slice(0, offset + length - 1))?.[1] ?? '';
  return indent.startsWith(outer) ? indent.slice(outer.length) : indent;
}
