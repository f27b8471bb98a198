import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { behindLinks, changeConfig, globalFile, type HelperLine, helperLines, helperLinesIn } from './git-config.ts';
import { restoreFile } from './git-file.ts';
import { digestOf, type Journal, openJournal } from './journal.ts';
import { shellWord } from './program.ts';

const KEY = 'credential.helper';

/** What was found and done, so that undo can take back exactly that. */
type Entry = {
  readonly format: 1;
  readonly file: string;
  readonly existed: boolean;
  readonly value: string;
  /** Hash of the file as we left it; absent until then. */
  readonly after?: string | undefined;
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
 * then ours by its absolute path. `!exec` saves git one more git and the shell one fork (PERFORMANCE.md §3). Doing it
 * again changes nothing.
 */
export function setupGit(ground: Ground, program: string, { dryRun, cwd }: Options): GitReport {
  const { environment } = ground;
  const file = globalFile(ground);
  const values = ['', `!exec ${shellWord(program)}`];
  const journal = openJournal<Entry>(ground, 'git');
  const report = (changed: boolean, lines: readonly HelperLine[]): GitReport => ({
    file,
    changed,
    values,
    ...besides(lines, values[1]!),
  });

  const before = helperLines(environment, cwd);
  if (isSetUp(before, file, values[1]!)) return report(false, before);
  if (dryRun) return report(true, foreseen(before, file, values, ground));

  // An older way of ours (another path) goes first, so that undo always leads back to what the person had.
  if (journal.read()) undoGit(ground, { dryRun: false });
  const bytes = readIfThere(file);
  const entry: Entry = { format: 1, file, existed: bytes !== undefined, value: values[1]! };
  if (bytes) journal.keepCopy(bytes);
  journal.write(entry);
  for (const value of values) changeConfig(file, ['--add', KEY, value], environment);
  journal.write({ ...entry, after: digestOf(readIfThere(file)!) });
  return report(true, helperLines(environment, cwd));
}

/** What undo did: gave back the very bytes, took away our lines only, or found nothing of ours. */
export type GitUndo = { readonly file: string | undefined; readonly how: 'restored' | 'removed-lines' | 'nothing' };

/** Takes back what `setupGit` did. Where nobody else changed the file since, it is byte for byte what it was. */
export function undoGit(ground: Ground, { dryRun }: Options): GitUndo {
  const journal = openJournal<Entry>(ground, 'git');
  const entry = journal.read();
  if (!entry) return { file: undefined, how: 'nothing' };
  const now = readIfThere(entry.file);
  const untouched = now !== undefined && digestOf(now) === entry.after;
  const how = untouched ? 'restored' : now && hasValue(entry, ground) ? 'removed-lines' : 'nothing';
  if (dryRun) return { file: entry.file, how };
  if (untouched) giveBack(entry, journal);
  else if (how === 'removed-lines') removeLines(entry, ground);
  journal.drop();
  return { file: entry.file, how };
}

function giveBack({ file, existed }: Entry, journal: Journal<Entry>): void {
  if (existed) restoreFile(behindLinks(file), journal.copy()!);
  else rmSync(behindLinks(file));
}

/** Takes away our two lines and nothing else; the rest, and comments, stay as others left them. */
function removeLines({ file, existed, value }: Entry, { environment }: Ground): void {
  const plain = helperLinesIn(file, environment).filter(({ url }) => url === undefined);
  const at = plain.findIndex((line) => line.value === value);
  const isReset = at > 0 && plain[at - 1]!.value === '';
  const resets = plain.filter((line) => line.value === '').length;
  // git can name an empty line by its value only: where there are several, ours is the one right before our helper.
  if (isReset && resets === 1) changeConfig(file, ['--unset-all', KEY, '^$'], environment);
  else if (isReset) removeResetBefore(file, value);
  changeConfig(file, ['--unset-all', KEY, `^${literal(value)}$`], environment);
  if (!existed && statSync(file).size === 0) rmSync(behindLinks(file));
}

/** A value as git's regular expression for it; GNU's `\\'` is an anchor, so only what must be is escaped. */
function literal(value: string): string {
  return value.replace(/[.[\]\\()*+?{}|^$]/g, '\\$&');
}

function removeResetBefore(file: string, value: string): void {
  const target = behindLinks(file);
  const lines = readIfThere(target)!.toString('latin1').split('\n');
  const ours = Buffer.from(value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')).toString('latin1');
  const at = lines.findIndex((line, at) => isHelper(line, ours) && isHelper(lines[at - 1], ''));
  if (at > 0) restoreFile(target, Buffer.from(lines.toSpliced(at - 1, 1).join('\n'), 'latin1'));
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

/** The lines that git would read after the change, told by changing a copy of the file. */
function foreseen(
  lines: readonly HelperLine[],
  file: string,
  values: readonly string[],
  { environment }: Ground,
): HelperLine[] {
  const folder = mkdtempSync(join(tmpdir(), 'keyhold-dry-run-'));
  try {
    const copy = join(folder, 'config');
    if (readIfThere(file)) copyFileSync(file, copy);
    else writeFileSync(copy, '');
    for (const value of values) changeConfig(copy, ['--add', KEY, value], environment);
    const origin = `file:${file}`;
    const own = helperLinesIn(copy, environment).map((line) => ({ scope: 'global', origin, ...line }));
    const others = lines.filter((line) => line.origin !== origin);
    const isEarlier = ({ scope }: HelperLine) => scope === 'system' || scope === 'global';
    return [...others.filter(isEarlier), ...own, ...others.filter((line) => !isEarlier(line))];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
