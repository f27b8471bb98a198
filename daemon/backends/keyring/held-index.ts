import { identityOf, type Target } from '../../../protocol/credential.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { inSlices } from '../../slices.ts';
import type { Held, Secrets } from '../backend.ts';
import { openRecords } from '../vault/open-records.ts';

/** Which items a credential has. */
export type Items = { readonly secret: boolean; readonly refreshToken: boolean };

/**
 * How far a credential has come.
 *
 * - `whole`: its items hold what the record says.
 * - `putting`: its items are about to be written. `secret` and `refreshToken` are marks of the new values (marks.ts);
 *   `was` is what the record said before.
 * - `removing`: its items are about to go. It is not held any more, whatever happens.
 */
export type Progress =
  | { readonly state: 'whole'; readonly items: Items }
  | {
      readonly state: 'putting';
      readonly secret?: string | undefined;
      readonly refreshToken?: string | undefined;
      readonly was?: { readonly held: Held; readonly items: Items } | undefined;
    }
  | { readonly state: 'removing' };

/** A row whose secrets, if it has any, rest in the index itself. */
export const SEALED: Progress = { state: 'whole', items: { secret: false, refreshToken: false } };

/** One of several changes that are made together. The secrets are borrowed. */
export type IndexChange =
  | { readonly write: Held; readonly progress: Progress; readonly secrets?: Secrets | undefined }
  | { readonly drop: Target };

export type Row = { readonly held: Held; readonly progress: Progress };

/** What this backend knows beyond the keyring: everything about its credentials but their secrets. */
export interface Index {
  rows(): readonly Row[];
  /** How many rows there are. */
  count(): number;
  find(target: Target): Row | undefined;
  /** Durable when it returns. */
  write(held: Held, progress: Progress): void;
  /** Replaces what is known of a row whose secrets rest here. Durable when it returns. */
  annotate(held: Held): void;
  /** Durable when it returns. */
  drop(target: Target): void;
  /** All of them are durable when it returns, or none is. */
  apply(changes: readonly IndexChange[]): void;
  /** The secrets that rest in a row, the caller's to dispose of; undefined if there is no such row. */
  secrets(target: Target): Secrets | undefined;
  close(): void;
}

/** Opens the sealed file, creating it where there is none, under a borrowed key. Throws what `openRecords` throws. */
export async function openIndex(options: { file: string; key: Secret; keep: SecretKeeper }): Promise<Index> {
  const records = openRecords(options);
  const rows = new Map<string, Row>();
  try {
    await inSlices(await records.all(), ({ held, note }) =>
      rows.set(identityOf(held), { held, progress: JSON.parse(note) }),
    );
  } catch (error) {
    records.close();
    throw error;
  }
  return {
    rows: () => [...rows.values()],
    count: () => rows.size,
    find: (target) => rows.get(identityOf(target)),
    write(held, progress) {
      records.put(held, {}, JSON.stringify(progress));
      rows.set(identityOf(held), { held, progress });
    },
    annotate(held) {
      records.annotate(held, JSON.stringify(SEALED));
      if (rows.has(identityOf(held))) rows.set(identityOf(held), { held, progress: SEALED });
    },
    drop(target) {
      records.remove(target);
      rows.delete(identityOf(target));
    },
    apply(changes) {
      records.apply(
        changes.map((change) =>
          'drop' in change
            ? { remove: change.drop }
            : { put: change.write, secrets: change.secrets ?? {}, note: JSON.stringify(change.progress) },
        ),
      );
      for (const change of changes) {
        if ('drop' in change) rows.delete(identityOf(change.drop));
        else rows.set(identityOf(change.write), { held: change.write, progress: change.progress });
      }
    },
    secrets: (target) => records.get(target),
    close: () => records.close(),
  };
}
