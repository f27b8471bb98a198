import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import {
  behindLinks,
  changeConfig,
  globalFile,
  type HelperLine,
  helperLines,
  helperLinesIn,
  type PlainLine,
} from './git-config.ts';
import { edited, replaceFile } from './git-file.ts';
import { digestOf, openJournal } from './journal.ts';
import { shellWord } from './program.ts';

const KEY = 'credential.helper';

/** What was found and done, so that undo can take back exactly that. Written before anything is changed. */
type Entry = {
  readonly format: 1;
  readonly file: string;
  readonly existed: boolean;
  readonly value: string;
  /** Hash of the file as we leave it. */
  readonly after: string;
};

export type GitReport = {
  readonly file: string;
  /** False if everything was as wanted already. */
  readonly changed: boolean;
  /** The values of `credential.helper` that are ours, in their order. */
  readonly values: readonly string[];
  /** Helpers that are told every secret too, and are asked for what keyhold does not hold. */
  readonly alsoTold: readonly HelperLine[];
  /** Lines behind ours that make git forget keyhold, for one URL or in this folder. */
  readonly overrides: readonly HelperLine[];
};

type Options = { readonly dryRun: boolean; readonly cwd?: string | undefined };

/**
 * Makes git ask `program` for credentials, and nobody whom git read of before: an empty helper, which resets git's list,
 * then ours by its absolute path. `!exec` saves git one more git and the shell one fork. Doing it
 * again changes nothing; whatever is cut off in between, the file is what it was or what it shall be.
 */
export function setupGit(ground: Ground, program: string, { dryRun, cwd }: Options): GitReport {
  const { environment } = ground;
  const file = globalFile(ground);
  const value = `!exec ${shellWord(program)}`;
  const report = (changed: boolean, lines: readonly HelperLine[]): GitReport => ({
    file,
    changed,
    values: ['', value],
    ...besides(lines, value),
  });

  const lines = helperLines(environment, cwd);
  if (isSetUp(lines, file, value)) return report(false, lines);
  // An older way of ours (another path) goes first, so that undo always leads back to what the person had.
  if (!dryRun) undoGit(ground, { dryRun });
  const target = behindLinks(file);
  const before = readIfThere(target);
  let own: PlainLine[] = [];
  const after = edited(before, (copy) => {
    changeConfig(copy, ['--add', KEY, ''], environment);
    changeConfig(copy, ['--add', KEY, value], environment);
    own = helperLinesIn(copy, environment);
  });
  if (dryRun) return report(true, foreseen(lines, own, file));

  const journal = openJournal<Entry>(ground, 'git');
  if (before) journal.keepCopy(before);
  journal.write({ format: 1, file, existed: before !== undefined, value, after: digestOf(after) });
  replaceFile(target, before, after);
  return report(true, helperLines(environment, cwd));
}

/** What undo did: gave back the very bytes, took away our lines only, or found nothing of ours. */
export type GitUndo = { readonly file: string | undefined; readonly how: 'restored' | 'removed-lines' | 'nothing' };

/** Takes back what `setupGit` did. Where nobody else changed the file since, it is byte for byte what it was. */
export function undoGit(ground: Ground, { dryRun }: Options): GitUndo {
  const journal = openJournal<Entry>(ground, 'git');
  const entry = journal.read();
  if (!entry) return { file: undefined, how: 'nothing' };
  const { file, existed, after } = entry;
  const target = behindLinks(file);
  const now = readIfThere(target);
  const how = !now
    ? 'nothing'
    : digestOf(now) === after
      ? 'restored'
      : hasValue(entry, ground)
        ? 'removed-lines'
        : 'nothing';
  if (dryRun) return { file, how };
  if (how === 'restored') replaceFile(target, now, existed ? journal.copy()! : undefined);
  if (how === 'removed-lines') {
    const rest = edited(now, (copy) => removeLines(copy, entry, ground));
    replaceFile(target, now, rest.length === 0 && !existed ? undefined : rest);
  }
  journal.drop();
  return { file, how };
}

/** Takes away our two lines and nothing else; the rest, and comments, stay as others left them. */
function removeLines(copy: string, { value }: Entry, { environment }: Ground): void {
  const plain = helperLinesIn(copy, environment).filter(({ url }) => url === undefined);
  const at = plain.findIndex((line) => line.value === value);
  const isReset = at > 0 && plain[at - 1]!.value === '';
  const resets = plain.filter((line) => line.value === '').length;
  // git can name an empty line by its value only: where there are several, ours is the one right before our helper.
  if (isReset && resets === 1) changeConfig(copy, ['--unset-all', KEY, '^$'], environment);
  else if (isReset) removeResetBefore(copy, value);
  changeConfig(copy, ['--unset-all', KEY, `^${literal(value)}$`], environment);
}

/** A value as git's regular expression for it; GNU's `\'` is an anchor, so only what must be is escaped. */
function literal(value: string): string {
  return value.replace(/[.[\]\\()*+?{}|^$]/g, '\\$&');
}

function removeResetBefore(copy: string, value: string): void {
  const before = readIfThere(copy)!;
  const lines = before.toString('latin1').split('\n');
  const ours = Buffer.from(value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')).toString('latin1');
  const at = lines.findIndex((line, at) => isHelper(line, ours) && isHelper(lines[at - 1], ''));
  if (at > 0) replaceFile(copy, before, Buffer.from(lines.toSpliced(at - 1, 1).join('\n'), 'latin1'));
}

function isHelper(line: string | undefined, value: string): boolean {
  return /^\s*helper\s*=\s*(.*?)\s*$/.exec(line ?? '')?.[1] === value;
}

function hasValue({ file, value }: Entry, { environment }: Ground): boolean {
  return helperLinesIn(file, environment).some((line) => line.url === undefined && line.value === value);
}

function isSetUp(lines: readonly HelperLine[], file: string, value: string): boolean {
  const plain = lines.filter(({ url, origin }) => url === undefined && origin === `file:${file}`);
  return plain.some((line, at) => line.value === value && plain[at - 1]?.value === '');
}

/** Who is asked besides us: git goes through its list in order, and an empty line empties it. */
function besides(lines: readonly HelperLine[], value: string): Pick<GitReport, 'alsoTold' | 'overrides'> {
  const behind = lines.slice(lines.findLastIndex((line) => line.url === undefined && line.value === value) + 1);
  return {
    alsoTold: behind.filter((line) => line.value !== ''),
    overrides: behind.filter((line) => line.value === ''),
  };
}

/** The lines that git would read with `own` in the place of what stands in `file`. */
function foreseen(lines: readonly HelperLine[], own: readonly PlainLine[], file: string): HelperLine[] {
  const origin = `file:${file}`;
  const others = lines.filter((line) => line.origin !== origin);
  const isEarlier = ({ scope }: HelperLine) => scope === 'system' || scope === 'global';
  return [
    ...others.filter(isEarlier),
    ...own.map((line) => ({ scope: 'global', origin, ...line })),
    ...others.filter((line) => !isEarlier(line)),
  ];
}
