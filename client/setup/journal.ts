import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { readIfThere, removeDrafts, removeEmpty, writeWhole } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';

/**
 * The journal of one setup: what was there before and what was made, written before anything is changed, so that undo
 * can give back exactly what it found. One JSON file, and beside it a copy of each file that was changed.
 */
export type Journal<Entry> = {
  /** Undefined if this tool was not set up. */
  read(): Entry | undefined;
  write(entry: Entry): void;
  /** Keeps a file's bytes as they are now. */
  keepCopy(bytes: Buffer): void;
  copy(): Buffer | undefined;
  drop(): void;
};

/** The journal of the tool `name`, in state/setup. */
export function openJournal<Entry extends { readonly format: 1 }>(ground: Ground, name: string): Journal<Entry> {
  const file = join(setupFolder(ground), `${name}.json`);
  const before = join(setupFolder(ground), `${name}.before`);
  return {
    read() {
      const bytes = readIfThere(file);
      if (!bytes) return undefined;
      try {
        const entry = JSON.parse(bytes.toString('utf8')) as Entry;
        if (entry.format === 1) return entry;
      } catch {
        // Falls through to the one message for a journal that cannot be followed.
      }
      throw new KeyholdError('bad_config', `cannot read ${file}: it is not a journal of this version`);
    },
    write: (entry) => writeWhole(file, `${JSON.stringify(entry, null, 2)}\n`),
    keepCopy: (bytes) => writeWhole(before, bytes),
    copy: () => readIfThere(before),
    drop() {
      for (const path of [file, before]) removeDrafts(path);
      rmSync(file, { force: true });
      rmSync(before, { force: true });
      removeEmpty([setupFolder(ground)]);
    },
  };
}

/** Where journals lie. */
export function setupFolder({ places }: Ground): string {
  return join(places.state, 'setup');
}

/** Hash of a file's bytes, to tell whether anybody changed it since. */
export function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
