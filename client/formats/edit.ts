/**
 * One change that a setup makes in another program's file. Plain data, so that the journal can hold it. `key`, `value`
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
