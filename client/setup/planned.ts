import { lstatSync, readlinkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import { Conflict, type Edit } from '../formats/edit.ts';
import { isSamePlace, type Made, makeAll, unmake, withdrawAll } from '../formats/edits.ts';
import { linkWhole, makeFolder, readIfThere, removeDrafts, removeEmpty } from '../install/files.ts';
import { absentFolders, type Ground } from '../install/ground.ts';
import { behindLinks } from './git-config.ts';
import { replaceFile } from './git-file.ts';
import { digestOf, openJournal, setupFolder } from './journal.ts';
import type { Plan, PlannedLink } from './tool.ts';

/** What was done to one file. What was in it is not kept: the edits alone lead back to it. */
type FileEntry = {
  readonly file: string;
  readonly existed: boolean;
  /** Hash of the file as we leave it. */
  readonly after: string;
  readonly made: readonly Made[];
};

/** Written before anything is changed. */
type Entry = {
  readonly format: 1;
  readonly files: readonly FileEntry[];
  readonly links: readonly PlannedLink[];
  /** Folders that were not there before. */
  readonly absentBefore: readonly string[];
};

/** A file as it is and as it shall be; bytes undefined where there is none. */
type Change = {
  readonly target: string;
  readonly now: Buffer | undefined;
  readonly after: Buffer;
  readonly entry: FileEntry;
};

export type SetupReport = {
  /** False if everything was as wanted already. */
  readonly changed: boolean;
  /** Every file that was planned for, and the lines that are in it for keyhold. */
  readonly files: readonly { readonly file: string; readonly changed: boolean; readonly lines: readonly string[] }[];
  readonly links: readonly PlannedLink[];
  readonly notices: readonly string[];
};

/**
 * Makes true what `plan` says, and journals it under the tool's name. Doing it again changes nothing; doing it for
 * something else adds that. Throws exit 1, with nothing changed, where something of somebody else's is in the way.
 */
export async function setUp(
  ground: Ground,
  tool: string,
  plan: Plan,
  { dryRun }: { dryRun: boolean },
): Promise<SetupReport> {
  const journal = openJournal<Entry>(ground, tool);
  const before = journal.read();
  const changes = await Promise.all(plan.files.map(({ file, edits }) => changeOf(tool, file, edits, before)));
  const links = plan.links.filter((link) => !leadsThere(link));
  refuseTaken(tool, links, before?.links ?? []);

  const isChanged = ({ now, after }: Change) => !now?.equals(after);
  const report: SetupReport = {
    changed: changes.some(isChanged) || links.length > 0,
    files: changes.map((change) => ({
      file: change.entry.file,
      changed: isChanged(change),
      lines: change.entry.made.flatMap(({ splice }) => (splice ? shownLines(splice.inserted) : [])),
    })),
    links: plan.links,
    notices: plan.notices,
  };
  if (!report.changed || dryRun) return report;

  const folders = [...changes.map(({ target }) => target), ...links.map(({ path }) => path)].map(dirname);
  const untouched = (before?.files ?? []).filter(({ file }) => !changes.some(({ entry }) => entry.file === file));
  journal.write({
    format: 1,
    files: [...untouched, ...changes.map(({ entry }) => entry)],
    links: [...(before?.links ?? []).filter(({ path }) => !links.some((link) => link.path === path)), ...links],
    absentBefore: [
      ...new Set([...(before?.absentBefore ?? []), ...absentFolders(ground, [...folders, setupFolder(ground)])]),
    ],
  });
  for (const folder of folders) makeFolder(folder);
  for (const { target, now, after } of changes) if (!now?.equals(after)) replaceFile(target, now, after);
  for (const { path, target } of links) linkWhole(target, path);
  return report;
}

/** What undo did to a file: gave back the very bytes, took away our lines only, or found nothing of ours. */
export type Undone = { readonly file: string; readonly how: 'restored' | 'removed-lines' | 'nothing' };
export type UndoReport = { readonly files: readonly Undone[]; readonly links: readonly string[] };

/** Takes back every `setUp` of this tool. A file that nobody else has changed since is byte for byte what it was. */
export async function undo(ground: Ground, tool: string, { dryRun }: { dryRun: boolean }): Promise<UndoReport> {
  const journal = openJournal<Entry>(ground, tool);
  const entry = journal.read();
  if (!entry) return { files: [], links: [] };
  const files: Undone[] = [];
  for (const each of entry.files) files.push(await undoFile(each, dryRun));
  const links = entry.links.filter(leadsThere).map(({ path }) => path);
  if (dryRun) return { files, links };
  for (const path of links) rmSync(path);
  for (const { path } of entry.links) removeDrafts(path);
  journal.drop();
  removeEmpty(entry.absentBefore);
  return { files, links };
}

async function undoFile({ file, existed, after, made }: FileEntry, dryRun: boolean): Promise<Undone> {
  const target = behindLinks(file);
  const now = readIfThere(target);
  if (!now) return { file, how: 'nothing' };
  const text = now.toString('latin1');
  const isOurs = digestOf(now) === after;
  const rest = isOurs ? unmake(text, made) : await withdrawAll(text, made).catch(ignoreConflict(text));
  if (!isOurs && rest === text) return { file, how: 'nothing' };
  // A file that was not there before goes only if nothing of another's is in it.
  const isGone = !existed && holdsNothing(rest);
  if (!dryRun) replaceFile(target, now, isGone ? undefined : Buffer.from(rest, 'latin1'));
  return { file, how: isOurs && (existed || isGone) ? 'restored' : 'removed-lines' };
}

/** Nothing but white space, or an empty JSON object, which is how a program writes a file without settings. */
function holdsNothing(text: string): boolean {
  return /^\s*(?:\{\s*\}\s*)?$/.test(text);
}

/** What others have made of a file may not be readable any more; then nothing in it can be called ours. */
function ignoreConflict(text: string) {
  return (error: unknown): string => {
    if (error instanceof Conflict) return text;
    throw error;
  };
}

async function changeOf(
  tool: string,
  file: string,
  edits: readonly Edit[],
  before: Entry | undefined,
): Promise<Change> {
  const target = behindLinks(file);
  const now = readIfThere(target);
  const text = now?.toString('latin1') ?? '';
  const prior = before?.files.find((entry) => entry.file === file);
  try {
    // Always from what the person had, so that undo leads back to it whatever was set up in which order.
    const base = prior === undefined ? text : await withoutOurs(text, now, prior);
    const kept = (prior?.made ?? [])
      .map(({ edit }) => edit)
      .filter((edit) => !edits.some((one) => isSamePlace(one, edit)));
    const { text: wanted, made } = await makeAll(base, [...kept, ...edits]);
    const after = Buffer.from(wanted, 'latin1');
    // What others wrote into a file of ours since makes it theirs.
    const existed = now !== undefined && (prior === undefined || prior.existed || !holdsNothing(base));
    return { target, now, after, entry: { file, existed, after: digestOf(after), made } };
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    throw new CommandFailure(
      1,
      `cannot set up ${tool}: ${file} was not written by keyhold, and ${error.message}; take that out, or leave this tool as it is`,
    );
  }
}

function withoutOurs(text: string, now: Buffer | undefined, { after, made }: FileEntry): string | Promise<string> {
  return now !== undefined && digestOf(now) === after ? unmake(text, made) : withdrawAll(text, made);
}

function leadsThere({ path, target }: PlannedLink): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(path) === target;
}

/** A name that is taken is left to whoever has it, unless an earlier setup of ours made the link. */
function refuseTaken(tool: string, links: readonly PlannedLink[], ours: readonly PlannedLink[]): void {
  const taken = links.filter(
    ({ path }) =>
      lstatSync(path, { throwIfNoEntry: false }) && !ours.some((link) => link.path === path && leadsThere(link)),
  );
  if (taken.length === 0) return;
  const paths = taken.map(({ path }) => path).join(', ');
  throw new CommandFailure(1, `cannot set up ${tool}: ${paths} was not written by keyhold; move it away first`);
}

function shownLines(inserted: string): string[] {
  return Buffer.from(inserted, 'latin1')
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
