import { statSync } from 'node:fs';
import { KeyholdError } from '../../protocol/errors.ts';
import { removeLeaves } from '../formats/remove.ts';
import { behindLinks } from '../setup/git-config.ts';
import { replaceFile } from '../setup/git-file.ts';
import type { Searched } from './find.ts';
import type { ImportJournal } from './journal.ts';
import type { Entry } from './source.ts';

/** A file, as it was searched, and those of its tokens that keyhold holds for certain. */
export type Taken = { readonly searched: Extract<Searched, { status: 'ok' }>; readonly entries: readonly Entry[] };

/** What became of one token in its file. */
export type Removal = { readonly entry: Entry; readonly removed: boolean; readonly why?: string | undefined };

/**
 * Takes tokens out of their files: each file in one step, with its mode, its owner and the link that leads to it, and
 * nothing else of it changed. A file that is not what it was when it was searched is left alone.
 */
export async function removeTaken(taken: readonly Taken[], journal: ImportJournal): Promise<Removal[]> {
  const removals: Removal[] = [];
  const changes: { file: string; before: Buffer; after: Buffer; entries: Entry[] }[] = [];
  for (const { searched, entries } of taken) {
    const file = behindLinks(searched.file);
    const why = whyNotReplaceable(file);
    let after = searched.bytes;
    const gone: Entry[] = [];
    // The last first: where places in a file are numbers, those before it keep theirs.
    for (const entry of [...entries].reverse()) {
      const cut =
        why === undefined
          ? await removeLeaves(searched.source.format, after, entry.removes)
          : { status: 'refused' as const, why };
      if (cut.status === 'refused') removals.push({ entry, removed: false, why: cut.why });
      else {
        after = cut.bytes;
        gone.push(entry);
      }
    }
    if (gone.length > 0) changes.push({ file, before: searched.bytes, after, entries: gone });
  }
  if (changes.length === 0) return removals;
  journal.begin(changes.map(({ file }) => file));
  for (const { file, before, after, entries } of changes) {
    const why = replaced(file, before, after);
    removals.push(...entries.map((entry) => ({ entry, removed: why === undefined, why })));
    after.fill(0);
  }
  journal.end();
  return removals;
}

/** Why the file is as it was; undefined if it is as it shall be. */
function replaced(file: string, before: Buffer, after: Buffer): string | undefined {
  try {
    replaceFile(file, before, after);
    return undefined;
  } catch (error) {
    if (error instanceof KeyholdError) return error.message.replace(/^cannot change [^:]*: /, '');
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return `it cannot be written (${code})`;
  }
}

/** A file with a second name would keep the token under that. */
function whyNotReplaceable(file: string): string | undefined {
  const links = statSync(file, { throwIfNoEntry: false })?.nlink ?? 1;
  return links > 1 ? 'it has a second name (a hard link), which would keep the token' : undefined;
}
