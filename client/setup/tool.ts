import type { Edit } from '../formats/edit.ts';
import type { Ground } from '../install/ground.ts';

/** What `keyhold setup` knows of every tool, those with a way of their own (git, systemd) too. */
export type KnownTool = {
  /** As in `keyhold setup NAME`. */
  readonly name: string;
  /** What the tool does once it is set up. */
  readonly summary: string;
  /** What the person gains by it. */
  readonly gain: string;
  /** The tool's own program, or what else shows that it is here; undefined if it is not. */
  readonly detect: (ground: Ground) => string | undefined;
};

/**
 * A tool that is set up by lines in its files and by links. One such file in client/setup/, listed by hand in index.ts,
 * says what shall stand where; planned.ts writes it, journals it and takes it back.
 */
export type SetupTool = KnownTool & {
  /** Whether its hook can name the account that it asks for; where it cannot, how the account is chosen instead. */
  readonly account: 'named' | { readonly instead: string };
  /** Options of its verb, beside those that all have. */
  readonly options: readonly SetupOption[];
  /** Throws a `CommandFailure`: 2 where it must be told more, 1 where something in the way is not keyhold's. */
  readonly plan: (ground: Ground, asked: Asked) => Plan | Promise<Plan>;
  /** What is done behind that in the agent; answers notices, of what would be done where `dryRun`. */
  readonly after?: (asked: Asked, dryRun: boolean) => Promise<string[]>;
};

/** Of a hook that is asked for every host and told no account. */
export const byProfile = { instead: 'choose it by a profile: keyhold profile set account NAME --profile PROFILE' };

/** `flags` as commander has them, with a value: `--for <url>`. */
export type SetupOption = { readonly flags: string; readonly summary: string };

/** What the person asked for. */
export type Asked = {
  /** An option's value by its long name, without the dashes. */
  readonly option: (name: string) => string | undefined;
  /** The account that `--account` names. */
  readonly account?: string | undefined;
  /** Where a program of ours lies that outlives upgrades. Exit 2 where nothing is installed. */
  readonly program: (name: string) => string;
};

export type Plan = {
  readonly files: readonly PlannedFile[];
  readonly links: readonly PlannedLink[];
  /** What the person should know: who else still sees the secret, or goes before keyhold; what to do next. */
  readonly notices: readonly string[];
};

/** A file that the tool reads, by its absolute path, and what shall stand in it. */
export type PlannedFile = { readonly file: string; readonly edits: readonly Edit[] };

/** A link by which the tool finds a program of ours; both paths are absolute. */
export type PlannedLink = { readonly path: string; readonly target: string };
