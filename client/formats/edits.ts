import type { Edit, Editor, Splice } from './edit.ts';
import { jsonEditor } from './json.ts';
import { lineEditor } from './line.ts';
import { blockEditor } from './lines.ts';
import { yamlEditor } from './yaml.ts';

/** What was asked to be written, and how it came in; undefined if it stood there already. */
export type Made = { readonly edit: Edit; readonly splice?: Splice | undefined };

/** Makes every edit in its turn. */
export async function makeAll(text: string, edits: readonly Edit[]): Promise<{ text: string; made: Made[] }> {
  const made: Made[] = [];
  let current = text;
  for (const edit of edits) {
    const splice = await editorOf(edit).make(current, edit);
    if (splice) current = spliced(current, splice);
    made.push({ edit, splice });
  }
  return { text: current, made };
}

/** The very text from which `makeAll` came to `text`. */
export function unmake(text: string, made: readonly Made[]): string {
  return made.reduceRight(
    (current, { splice }) =>
      splice ? spliced(current, { at: splice.at, removed: splice.inserted, inserted: splice.removed }) : current,
    text,
  );
}

/** Copies of what we wrote that are taken out: others may have copied our line. */
const COPIES_MAX = 100;

/** A text that others have changed since, without what is left in it of ours, judged by content. */
export async function withdrawAll(text: string, made: readonly Made[]): Promise<string> {
  let current = text;
  for (const { edit, splice } of [...made].reverse()) {
    for (let copies = 0; splice && copies < COPIES_MAX; copies++) {
      const back = await editorOf(edit).withdraw(current, edit, splice);
      if (!back) break;
      current = spliced(current, back);
    }
  }
  return current;
}

/** True if both would stand at the same place, so that one takes the other's. */
export function isSamePlace(one: Edit, other: Edit): boolean {
  return placeOf(one) === placeOf(other);
}

/** A block that tolerates no other beside it takes the place of an older version of itself. */
function placeOf(edit: Edit): string {
  if ('value' in edit) return JSON.stringify({ ...edit, value: undefined });
  return JSON.stringify(edit.unless === undefined ? edit : { ...edit, text: undefined });
}

function spliced(text: string, { at, removed, inserted }: Splice): string {
  return `${text.slice(0, at)}${inserted}${text.slice(at + removed.length)}`;
}

/** Each editor is only ever given its own kind. */
function editorOf(edit: Edit): Editor<Edit> {
  const editors = { json: jsonEditor, yaml: yamlEditor, line: lineEditor, block: blockEditor };
  return editors[edit.kind] as Editor<Edit>;
}
