import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Places } from '../../protocol/places.ts';
import { readIfThere, removeDrafts, writeWhole } from '../install/files.ts';
import { removeLeftovers } from '../setup/git-file.ts';

/**
 * Which files tokens are being taken out of. It is written before the first of them is touched and holds no value, and no
 * hash of one: only paths. It is there for the next run after one that was killed, because a draft of a file, which still
 * holds that file's other tokens, must not be left lying.
 */
export type ImportJournal = {
  /** The files of a run that was cut off. Their drafts are gone now; empty if none was. */
  recover(): readonly string[];
  begin(files: readonly string[]): void;
  end(): void;
};

type Entry = { readonly format: 1; readonly files: readonly string[] };

export function openImportJournal({ state }: Places): ImportJournal {
  const file = join(state, 'import.json');
  const end = () => {
    removeDrafts(file);
    rmSync(file, { force: true });
  };
  return {
    recover() {
      const files = filesIn(readIfThere(file)).filter((one) => existsSync(dirname(one)));
      for (const one of files) removeLeftovers(one);
      end();
      return files;
    },
    begin: (files) => writeWhole(file, `${JSON.stringify({ format: 1, files } satisfies Entry)}\n`),
    end,
  };
}

/** What is no journal of ours names nothing: there is nothing in it that is needed to find a token again. */
function filesIn(bytes: Buffer | undefined): readonly string[] {
  try {
    const { format, files } = JSON.parse(bytes?.toString('utf8') ?? '{}') as Partial<Entry>;
    return format === 1 && Array.isArray(files)
      ? files.filter((one) => typeof one === 'string' && one.startsWith('/'))
      : [];
  } catch {
    return [];
  }
}
