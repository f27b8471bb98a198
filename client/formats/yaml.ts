import type { Node, Pair, Scalar } from 'yaml';
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
