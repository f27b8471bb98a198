import type { Stats } from 'node:fs';
import { isAbsolute } from 'node:path';
import { openFile } from '../formats/file.ts';
import { readLeaves } from '../formats/read.ts';
import { sources } from './index.ts';
import { type Entry, leavesIn, type Passed, type Place, type Source } from './source.ts';

/** A file that a tool keeps tokens in, and what was found there. */
export type Searched = {
  readonly source: Source;
  readonly file: string;
} & (
  | {
      readonly status: 'ok';
      readonly entries: readonly Entry[];
      readonly passed: readonly Passed[];
      readonly bytes: Buffer;
      readonly stats: Stats;
    }
  /** It is there and was not understood: nothing of it is taken, and it stays as it is. */
  | { readonly status: 'unusable'; readonly why: string }
);

/** Looks through the files of the sources named, or of all. What is not there is left out. */
export async function searchPlaintext(
  { home, environment }: Omit<Place, 'leavesOf'>,
  names: readonly string[] = [],
  from: readonly Source[] = sources,
): Promise<Searched[]> {
  const place: Place = {
    home,
    environment,
    async leavesOf(path, format) {
      const opened = openFile(path);
      return opened.status === 'ok' ? leavesIn(await readLeaves(format, opened.bytes)) : [];
    },
  };
  const searched: Searched[] = [];
  const seen = new Set<string>();
  for (const source of from) {
    if (names.length > 0 && !names.includes(source.name)) continue;
    for (const file of source.files(place)) {
      const one = seen.has(file) ? undefined : await searchFile(source, file, place);
      seen.add(file);
      if (one) searched.push(one);
    }
  }
  return searched;
}

async function searchFile(source: Source, file: string, place: Place): Promise<Searched | undefined> {
  // A variable that names a relative path means another file in every folder.
  if (!isAbsolute(file)) return undefined;
  const opened = openFile(file);
  if (opened.status === 'absent') return undefined;
  if (opened.status === 'unreadable') return { source, file, status: 'unusable', why: opened.why };
  const read = await readLeaves(source.format, opened.bytes);
  if (read.status === 'malformed') return { source, file, status: 'unusable', why: read.why };
  const { entries, passed } = await source.find(read.leaves, place);
  return { source, file, status: 'ok', entries, passed, bytes: opened.bytes, stats: opened.stats };
}
