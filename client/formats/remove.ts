import type { Leaf, Span } from './leaf.ts';
import { type Format, readLeaves } from './read.ts';

/** A file's bytes without some of its values, or why these cannot be taken out of it. */
export type Removed =
  | { readonly status: 'ok'; readonly bytes: Buffer }
  | { readonly status: 'refused'; readonly why: string };

/**
 * Takes values out, one after the other, and nothing else: comments, order and layout of the rest stay byte for byte.
 * After each cut the file is read again, and must hold exactly what it held before without that value; else nothing
 * is taken out.
 */
export async function removeLeaves(
  format: Format,
  bytes: Uint8Array,
  paths: readonly Leaf['path'][],
): Promise<Removed> {
  const first = await readLeaves(format, bytes);
  if (first.status !== 'ok') return { status: 'refused', why: first.why };
  const placeOf = (path: Leaf['path']) => first.leaves.findIndex((leaf) => isSame(leaf.path, path));
  let rest: Buffer = Buffer.from(bytes);
  // The last first: where names are numbers, those before it keep theirs.
  for (const path of [...paths].sort((one, other) => placeOf(other) - placeOf(one))) {
    const before = await readLeaves(format, rest);
    if (before.status !== 'ok') return { status: 'refused', why: before.why };
    const gone = before.leaves.filter((leaf) => isSame(leaf.path, path));
    const [leaf] = gone;
    if (!leaf) continue;
    if (gone.length > 1) return { status: 'refused', why: 'it stands there twice' };
    if (!leaf.cuts) return { status: 'refused', why: 'it is written in a way that cannot be taken out' };
    const after = withoutSpans(rest, leaf.cuts);
    const now = await readLeaves(format, after);
    if (now.status !== 'ok' || !isLess(now.leaves, before.leaves, leaf)) {
      return { status: 'refused', why: 'taking it out would change something else' };
    }
    rest = after;
  }
  return { status: 'ok', bytes: rest };
}

function withoutSpans(bytes: Buffer, spans: readonly Span[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    pieces.push(bytes.subarray(from, start));
    from = end;
  }
  return Buffer.concat([...pieces, bytes.subarray(from)]);
}

/** Whether `now` is `before` without `gone`, and without what its cuts take along (the other words of a netrc's entry). */
function isLess(now: readonly Leaf[], before: readonly Leaf[], gone: Leaf): boolean {
  const kept = before.filter(({ cuts }) => cuts === undefined || cuts[0]!.start !== gone.cuts![0]!.start);
  return now.length === kept.length && kept.every(({ value }, at) => value === now[at]!.value);
}

function isSame(one: Leaf['path'], other: Leaf['path']): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}
