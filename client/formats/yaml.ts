import type { Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { fromWire, toWire } from '../../protocol/text.ts';
import { Conflict, type Editor, type Splice, type YamlEdit } from './edit.ts';
import { cutOf, DEPTH_MAX, type Leaf, lineAt, type Read, type Span } from './leaf.ts';

/**
 * The values of a YAML file of one document, with the places where they stand. What is named by an alias has no place
 * of its own and is left out; what has an anchor or a tag is in use elsewhere, or more than text, and cannot be cut.
 */
export async function readYaml(text: string): Promise<Read> {
  // Only here: most files are of other formats.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, schema: 'failsafe', strict: true, uniqueKeys: true });
  const [error] = document.errors;
  if (error) return { status: 'malformed', why: `line ${lines.linePos(error.pos[0]).line}: it is not YAML` };
  const leaves: Leaf[] = [];
  const visit = (node: unknown, path: readonly string[], cuts: readonly Span[] | undefined): void => {
    if (path.length > DEPTH_MAX) return;
    if (yaml.isScalar(node)) {
      const { value, anchor, tag } = node as Scalar & { anchor?: string };
      const isText = typeof value === 'string' && !isNull(node as Scalar);
      if (isText) leaves.push({ path, value, cuts: anchor === undefined && tag === undefined ? cuts : undefined });
    } else if (yaml.isMap(node)) {
      node.items.forEach((pair, at) => {
        if (yaml.isScalar(pair.key))
          visit(pair.value, [...path, String(pair.key.value)], cutsOf(text, node, node.items, at));
      });
    } else if (yaml.isSeq(node)) {
      for (const [at, item] of node.items.entries()) visit(item, [...path, String(at)], undefined);
    }
  };
  visit(document.contents, [], undefined);
  return { status: 'ok', leaves };
}

/** `token:` with nothing behind it, `~` and `null`, which the failsafe schema calls text. */
function isNull({ type, source }: Scalar): boolean {
  return type === 'PLAIN' && /^(?:|~|null|Null|NULL)$/.test(source ?? '');
}

function cutsOf(text: string, map: Node & { flow?: boolean }, pairs: readonly Pair[], at: number): Span[] | undefined {
  const elements = pairs.map(spanOf);
  if (elements.some((element) => element === undefined) || !map.range) return undefined;
  const spans = elements as Span[];
  if (map.flow) {
    const inside = { start: map.range[0] + 1, end: map.range[1] - 1 };
    return [cutOf({ inside, elements: spans }, at)];
  }
  const { start, end } = spans[at]!;
  const lastLine = text[end - 1] === '\n' ? end : lineAt(text, end).end;
  const first = lineAt(text, start).start;
  if (text.slice(first, start).trim() === '') return [{ start: first, end: lastLine }];
  // It stands behind the dash of a list: what is below it moves up.
  const next = spans[at + 1];
  return next ? [{ start, end: next.start }] : undefined;
}

function spanOf({ key, value }: Pair): Span | undefined {
  const start = (key as Node | null)?.range?.[0];
  const end = (value as Node | null)?.range?.[1] ?? (key as Node | null)?.range?.[1];
  return start === undefined || end === undefined ? undefined : { start, end };
}

/** A step to the member of a list that has this `name`. */
const BY_NAME = 'name=';

/** Values of a YAML document, put in as text, so that comments and the manner of the rest stay as they are. */
export const yamlEditor: Editor<YamlEdit> = {
  async make(text, { path, value, replaces = false }) {
    const tools = await open(text);
    const place = tools.find(path);
    if (place.node) {
      if (holds(place.node.toJS(tools.document), value)) return undefined;
      if (!replaces || !tools.isScalar(place.node)) throw new Conflict(`it has ${path.join(' › ')} already`);
      const [at, end] = place.node.range!;
      return { at, removed: text.slice(at, end), inserted: toWire(JSON.stringify(value)) };
    }
    if (replaces) throw new Conflict(`it has no ${path.join(' › ')}`);
    return tools.addition(place, value);
  },

  async withdraw(text, { path, value, replaces = false }, made) {
    const tools = await open(text);
    const isOurs = (node: Node | undefined) => node !== undefined && holds(node.toJS(tools.document), value);
    const { node, parent } = tools.find(path);
    if (replaces) {
      // The member that it stood in may have another name now, or a copy (kubectl config rename-context).
      const ours = isOurs(node) ? node : tools.everywhere(path).find(isOurs);
      if (!ours) return undefined;
      const [at, end] = ours.range!;
      return { at, removed: text.slice(at, end), inserted: made.removed };
    }
    return isOurs(node) && parent ? tools.removal(parent, node!) : undefined;
  },
};

/**
 * Whether a value of a document, with wire texts in it, is `ours` by its content: a program that rewrites the file puts
 * members in another order and adds empty ones (kubectl: `env: null`).
 */
function holds(there: unknown, ours: unknown): boolean {
  if (typeof there === 'string') return typeof ours === 'string' && fromWire(there) === ours;
  if (Array.isArray(ours)) {
    return Array.isArray(there) && there.length === ours.length && ours.every((one, at) => holds(there[at], one));
  }
  if (typeof ours !== 'object' || ours === null) return there === ours;
  if (typeof there !== 'object' || there === null || Array.isArray(there)) return false;
  const members = new Map(Object.entries(there).map(([name, value]) => [fromWire(name), value]));
  const wanted = Object.entries(ours);
  const others = [...members].filter(([name]) => !Object.hasOwn(ours, name));
  return (
    wanted.every(([name, value]) => holds(members.get(name), value)) && others.every(([, value]) => isEmpty(value))
  );
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

type Place = {
  readonly node: Node | undefined;
  readonly parent: YAMLMap | YAMLSeq | undefined;
  readonly rest: readonly string[];
};

/** A document for reading places out of it. The library is loaded here, because few commands need it. */
async function open(text: string) {
  const library = await import('yaml');
  const document: Document.Parsed = library.parseDocument(text, { keepSourceTokens: true });
  if (document.errors.length > 0) throw new Conflict('it is not YAML that can be read');
  const { isMap, isSeq, isScalar, isPair } = library;

  const child = (node: Node | null | undefined, step: string): Node | undefined => {
    if (isSeq(node) && step.startsWith(BY_NAME)) {
      const name = toWire(step.slice(BY_NAME.length));
      return node.items.find((item): item is YAMLMap => isMap(item) && item.get('name') === name);
    }
    if (!isMap(node)) return undefined;
    const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === toWire(step));
    return (pair?.value as Node | null | undefined) ?? undefined;
  };

  return {
    document,
    isScalar,
    /** The node of a path, or the last one on the way to it and what is missing behind that. */
    find(path: readonly string[]): Place {
      let parent: Node | undefined = document.contents ?? undefined;
      for (const [at, step] of path.entries()) {
        const node = child(parent, step);
        if (!node || (at < path.length - 1 && !isMap(node) && !isSeq(node))) {
          return { node: undefined, parent: isMap(parent) || isSeq(parent) ? parent : undefined, rest: path.slice(at) };
        }
        if (at === path.length - 1) return { node, parent: parent as YAMLMap | YAMLSeq, rest: [] };
        parent = node;
      }
      return { node: undefined, parent: undefined, rest: path };
    },
    /** The nodes of a path with any member of a list in the place of the one that a step names. */
    everywhere(path: readonly string[]): Node[] {
      let nodes: Node[] = document.contents ? [document.contents] : [];
      for (const step of path) {
        nodes = nodes.flatMap((node) => {
          if (step.startsWith(BY_NAME)) return isSeq(node) ? (node.items.filter(isMap) as Node[]) : [];
          return child(node, step) ?? [];
        });
      }
      return nodes;
    },
    /** One more member of a list in block style, which is how every kubeconfig is written. */
    addition({ parent, rest }: Place, value: unknown): Splice {
      if (!isSeq(parent) || rest.length !== 1) throw new Conflict(`there is no list for ${rest.join(' › ')} in it`);
      if (parent.flow) return flowAddition(parent, value);
      const first = parent.items[0] as Node;
      const dash = text.lastIndexOf('-', first.range![0]);
      const indent = text.slice(text.lastIndexOf('\n', dash) + 1, dash);
      const lines = library.stringify(value, { lineWidth: 0 }).trimEnd().split('\n');
      const block = lines.map((line, at) => `${indent}${at === 0 ? '- ' : '  '}${toWire(line)}\n`).join('');
      return { at: text.lastIndexOf('\n', dash) + 1, removed: '', inserted: block };
    },
    removal(parent: YAMLMap | YAMLSeq, node: Node): Splice | undefined {
      if (!isSeq(parent)) return undefined;
      const items = parent.items as Node[];
      const at = items.indexOf(node);
      const [before, next] = [items[at - 1], items[at + 1]];
      if (parent.flow) {
        const start = !next && before ? before.range![1] : node.range![0];
        const end = next ? next.range![0] : node.range![1];
        return { at: start, removed: text.slice(start, end), inserted: '' };
      }
      const from = lineAt(text, text.lastIndexOf('-', node.range![0])).start;
      const to = next ? lineAt(text, text.lastIndexOf('-', next.range![0])).start : node.range![2];
      // Without its last member a list in block style would be null.
      const key = text.lastIndexOf(':', from) + 1;
      const isAlone = items.length === 1 && key > 0 && text.slice(key, from).trim() === '';
      if (isAlone) return { at: key, removed: text.slice(key, to), inserted: ' []\n' };
      return { at: from, removed: text.slice(from, to), inserted: '' };
    },
  };
}

/** A list between brackets, as JSON has it, or an empty one. */
function flowAddition(list: YAMLSeq, value: unknown): Splice {
  const open = list.range![0];
  const isEmpty = list.items.length === 0;
  return { at: open + 1, removed: '', inserted: `${toWire(JSON.stringify(value))}${isEmpty ? '' : ', '}` };
}
