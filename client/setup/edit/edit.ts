import { block } from './block.ts';
import { json } from './json.ts';
import { line } from './line.ts';
import { yaml } from './yaml.ts';

/**
 * One thing that shall stand in a file of somebody else's. Plain data, so that the journal can hold it. `key`, `value`
 * and names are human text; files are edited as wire text (text.ts), so that no byte of theirs is changed by reading.
 */
export type Edit = JsonEdit | YamlEdit | LineEdit | BlockEdit;

/** A member of a JSON object (docker's config.json), with the objects on the way to it. */
export type JsonEdit = { readonly kind: 'json'; readonly path: readonly string[]; readonly value: string };

/**
 * A value in a YAML document (kubeconfig). A step of the path is a key, or `name=…` for the member of a list that has
 * this name. `replaces`: another text may stand there, and undo gives it back.
 */
export type YamlEdit = {
  readonly kind: 'yaml';
  readonly path: readonly string[];
  readonly value: unknown;
  readonly replaces?: boolean;
};

/** `key = value` in a section (INI, TOML), or before every section where there is none; `joint` stands between both. */
export type LineEdit = {
  readonly kind: 'line';
  /** The whole line of the section's head, as it is written: `[profile work]`. */
  readonly section?: string | undefined;
  readonly key: string;
  readonly value: string;
  readonly joint: ' = ' | '=';
};

/** Whole lines at the end of a file. `unless`: a pattern of what may not stand there already. */
export type BlockEdit = { readonly kind: 'block'; readonly text: string; readonly unless?: string | undefined };

/** A change of a text: at `at`, `removed` gave way to `inserted`. */
export type Splice = { readonly at: number; readonly removed: string; readonly inserted: string };

/** How one kind of edit is made and taken back. Texts are wire texts. */
export type Editor<E extends Edit> = {
  /** The change that makes `edit` true; undefined if it is already. Throws a `Conflict` where something is in its way. */
  readonly make: (text: string, edit: E) => Splice | undefined | Promise<Splice | undefined>;
  /**
   * The change that takes `edit` out of a text that others have changed since, `made` being how it came in; undefined
   * where nothing of it is left.
   */
  readonly withdraw: (text: string, edit: E, made: Splice) => Splice | undefined | Promise<Splice | undefined>;
};

/** Something that keyhold did not write stands where an edit wants to be. It says what, never a secret. */
export class Conflict extends Error {}

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
  const placeOf = (edit: Edit) => JSON.stringify('value' in edit ? { ...edit, value: undefined } : edit);
  return placeOf(one) === placeOf(other);
}

function spliced(text: string, { at, removed, inserted }: Splice): string {
  return `${text.slice(0, at)}${inserted}${text.slice(at + removed.length)}`;
}

/** Each editor is only ever given its own kind. */
function editorOf(edit: Edit): Editor<Edit> {
  const editors = { json, yaml, line, block };
  return editors[edit.kind] as Editor<Edit>;
}
