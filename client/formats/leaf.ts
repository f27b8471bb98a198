/** A stretch of a file's bytes, from `start` to before `end`. */
export type Span = { readonly start: number; readonly end: number };

/**
 * One value of a file. Texts are latin1, one character a byte (protocol/text.ts), so that offsets into them are offsets
 * into the file. A value stays in such a string for as long as the command runs: only commands read these files, and
 * they end.
 */
export type Leaf = {
  /** The names that lead to it: sections, members, places in a list. */
  readonly path: readonly string[];
  readonly value: string;
  /** What must go so that it alone is gone; undefined where it is written in a way that no cut takes out. */
  readonly cuts: readonly Span[] | undefined;
};

/** The values of a file in their order, or where it stops being of its format. */
export type Read =
  | { readonly status: 'ok'; readonly leaves: readonly Leaf[] }
  | { readonly status: 'malformed'; readonly why: string };

/** What a reader throws at the place where it cannot go on; its text holds nothing of the file. */
export class Malformed extends Error {
  constructor(text: string, at: number, rule: string) {
    super(`line ${text.slice(0, at).split('\n').length}: ${rule}`);
  }
}

/** Nesting that a reader follows: a credential file has three or four levels, and a thousand are an attack. */
export const DEPTH_MAX = 32;

/** Runs a reader. What it throws becomes the one outcome that callers know. */
export function reading(read: () => Leaf[]): Read {
  try {
    return { status: 'ok', leaves: read() };
  } catch (error) {
    if (error instanceof Malformed) return { status: 'malformed', why: error.message };
    throw error;
  }
}

/** Where the line of an offset begins, and where the next one does. */
export function lineAt(text: string, at: number): Span {
  const end = text.indexOf('\n', at);
  return { start: text.lastIndexOf('\n', at - 1) + 1, end: end < 0 ? text.length : end + 1 };
}

/** What has elements with commas between them: from behind the opening bracket to before the closing one. */
export type Listed = { readonly inside: Span; readonly elements: readonly Span[] };

/**
 * The cut that takes one element out of a list with commas: with the comma behind it, else with the one before it; the
 * only one goes with all the space around it.
 */
export function cutOf({ inside, elements }: Listed, at: number): Span {
  const { start, end } = elements[at]!;
  const next = elements[at + 1];
  if (next) return { start, end: next.start };
  const before = elements[at - 1];
  return before ? { start: before.end, end } : inside;
}
