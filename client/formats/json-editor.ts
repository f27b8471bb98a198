import { toWire } from '../../protocol/text.ts';
import { Conflict, type Editor, type JsonEdit } from './edit.ts';
import { type JsonMember, type JsonObjectText, readJsonObject } from './json-text.ts';

/** Members of a JSON object, put in and taken out without a look at how the rest is written. */
export const json: Editor<JsonEdit> = {
  make(text, { path, value }) {
    const steps = path.map(toWire);
    if (text.trim() === '') return { at: text.length, removed: '', inserted: `${written(steps, value, '\n', '\t')}\n` };
    let object = rootOf(text);
    for (const [depth, step] of steps.entries()) {
      const member = object.members.find(({ name }) => name === step);
      if (!member) return insertion(text, object, steps.slice(depth), value);
      if (depth === steps.length - 1) {
        if (valueAt(text, member) === value) return undefined;
        throw new Conflict(`it has "${path.join('" › "')}" already`);
      }
      if (!member.object) throw new Conflict(`its "${path[depth]}" is no object`);
      object = member.object;
    }
    return undefined;
  },

  withdraw(text, { path, value }, made) {
    const steps = path.map(toWire);
    const way: { readonly object: JsonObjectText; readonly member: JsonMember }[] = [];
    let object: JsonObjectText | undefined = text.trim() === '' ? undefined : rootOf(text);
    for (const step of steps) {
      const member: JsonMember | undefined = object?.members.find(({ name }) => name === step);
      if (!object || !member) return undefined;
      way.push({ object, member });
      object = member.object;
    }
    if (valueAt(text, way.at(-1)!.member) !== value) return undefined;
    // The objects that came with it go with it, if nothing else is in them.
    let depth = steps.length - 1;
    const cameWithIt = (step: string) => made.inserted.includes(`${JSON.stringify(step)}: {`);
    while (depth > 0 && way[depth]!.object.members.length === 1 && cameWithIt(steps[depth - 1]!)) depth--;
    return removal(text, way[depth]!.object, way[depth]!.member);
  },
};

function rootOf(text: string): JsonObjectText {
  const root = readJsonObject(text);
  if (!root) throw new Conflict('it is not a JSON object');
  return root;
}

function valueAt(text: string, { start, end }: JsonMember): unknown {
  return JSON.parse(Buffer.from(text.slice(start, end), 'latin1').toString('utf8'));
}

/** As the first member, in the manner of those that are there. */
function insertion(text: string, object: JsonObjectText, steps: readonly string[], value: string) {
  const at = object.open + 1;
  const [manner = ''] = /^\s*/.exec(text.slice(at)) ?? [];
  const name = JSON.stringify(steps[0]);
  if (object.members.length === 0) {
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
function unitOf(text: string, { close }: JsonObjectText, manner: string): string {
  const indent = manner.slice(manner.lastIndexOf('\n') + 1);
  const outer = /\n([ \t]*)$/.exec(text.slice(0, close))?.[1] ?? '';
  return indent.startsWith(outer) ? indent.slice(outer.length) : indent;
}

/** A member and the comma that goes with it. */
function removal(text: string, object: JsonObjectText, member: JsonMember) {
  const at = object.members.indexOf(member);
  const next = object.members[at + 1];
  const before = object.members[at - 1];
  const from = next ? member.nameStart : (before?.end ?? object.open + 1);
  const to = next ? next.nameStart : before ? member.end : object.close;
  return { at: from, removed: text.slice(from, to), inserted: '' };
}
