import type { Node } from 'yaml';
import {
  checkManifest,
  MANIFEST_MAX,
  type Manifest,
  type Problem,
  problemText,
} from '../../protocol/services/index.ts';

/** Something wrong with a manifest's text, at a line and column that count from 1. */
export type Slip = { readonly line: number; readonly column: number; readonly text: string };

export type Compiled =
  | { readonly status: 'ok'; readonly manifest: Manifest }
  /** At least one, in the order of the lines. */
  | { readonly status: 'unfit'; readonly slips: readonly Slip[] };

/** The field that names the manifest whose fields stand where this one has none. It is gone when compiled. */
const LIKE = 'like';
/** A manifest has no need of YAML's aliases, and a few of them make a document of any size. */
const ALIASES_MAX = 0;

/**
 * Compiles a manifest that a person wrote (YAML 1.2, or JSON, which is YAML) to the plain JSON that client and agent
 * read. `known` are the manifests that `like: ID` may name.
 */
export async function compileManifest(text: string, known: readonly Manifest[]): Promise<Compiled> {
  if (Buffer.byteLength(text) > MANIFEST_MAX)
    return unfit([slip(1, 1, `the file is longer than ${MANIFEST_MAX} bytes`)]);
  // Only here: nothing else of the commands reads YAML.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, schema: 'core', strict: true, uniqueKeys: true });
  const at = (offset: number) => lines.linePos(offset);
  if (document.errors.length > 0 || document.warnings.length > 0) {
    const all = [...document.errors, ...document.warnings];
    return unfit(all.map(({ pos, message }) => slip(at(pos[0]).line, at(pos[0]).col, sentenceOf(message))));
  }
  const { contents } = document;
  if (!yaml.isMap(contents)) return unfit([slip(1, 1, 'the manifest must be an object (lines of `name: value`)')]);
  let own: Record<string, unknown>;
  try {
    own = document.toJS({ maxAliasCount: ALIASES_MAX }) as Record<string, unknown>;
  } catch {
    return unfit([slip(1, 1, 'the manifest must not use aliases (*name)')]);
  }
  const place = (path: Problem['path']) => at(offsetOf(yaml, contents, path));
  const { [LIKE]: like, ...fields } = own;
  const base = like === undefined ? undefined : known.find(({ id }) => id === like);
  if (like !== undefined && !base) {
    const { line, col } = place([LIKE]);
    return unfit([
      slip(line, col, `like is no service that is known; there are ${known.map(({ id }) => id).join(', ')}`),
    ]);
  }
  const checked = checkManifest(plain(base ? over(base, fields) : fields));
  if (checked.status === 'ok') return checked;
  return unfit(
    checked.problems.map((problem) => {
      const { line, col } = place(problem.path);
      return slip(line, col, problemText(problem));
    }),
  );
}

/**
 * A manifest on the ground of another: a field of its own stands in place of the other's, an object's members in place
 * of its members, and `null` takes a field away. Its pages are never the other's: they are about another server.
 */
function over({ urls: _, ...base }: Manifest, own: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const below = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isRecord(value) && isRecord(below) ? { ...below, ...value } : value;
  }
  return merged;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What JSON makes of it: nothing that is no data gets through. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Where the nearest part of `path` that the text has begins: the key of a field, the item of a list. */
function offsetOf(
  { isMap, isNode, isScalar, isSeq }: typeof import('yaml'),
  root: Node,
  path: Problem['path'],
): number {
  let node: unknown = root;
  let offset = root.range?.[0] ?? 0;
  for (const key of path) {
    const pair = isMap(node) ? node.items.find((one) => isScalar(one.key) && one.key.value === key) : undefined;
    const found = pair ? pair.key : isSeq(node) ? node.items[Number(key)] : undefined;
    if (!isNode(found) || !found.range) return offset;
    offset = found.range[0];
    node = pair ? pair.value : found;
  }
  return offset;
}

/** What the YAML reader says, without its drawing of the text and the place, which stands before it already. */
function sentenceOf(message: string): string {
  const [first = ''] = message.split('\n');
  return first.replace(/ at line \d+, column \d+:?$/, '');
}

function slip(line: number, column: number, text: string): Slip {
  return { line, column, text };
}

function unfit(slips: readonly Slip[]): Compiled {
  return { status: 'unfit', slips: slips.toSorted((a, b) => a.line - b.line || a.column - b.column) };
}
