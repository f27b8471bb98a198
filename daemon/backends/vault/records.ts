import { identityOf, type Target } from '../../../protocol/credential.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import type { Held, Secrets } from '../backend.ts';
import { decodeSecrets, encodeSecrets } from '../secrets.ts';
import { derive, mac, randomKey, seal, unseal, unsealSecret } from './cipher.ts';
import { corrupt, createDatabase, type Database, openDatabase } from './database.ts';
import { decodeHeader, encodeHeader, SCHEMA, unwrap, wrap } from './header.ts';

/** Bytes of an HMAC-SHA256 that a record is found by: 2^64 records before two would meet. */
const FOUND_LENGTH = 16;

/** One of several changes that are made together. The secrets are borrowed; `note` is sealed beside held. */
export type RecordChange =
  | { readonly put: Held; readonly secrets: Secrets; readonly note?: string | undefined }
  | { readonly remove: Target };

/**
 * A file of individually sealed records, one for each target. It shows neither host nor account, only how many records
 * there are and how long. Every call is made when it returns, durably; all throw `KeyholdError`s: `backend_full` and
 * `backend_failed` (nothing was changed), `vault_corrupt` (this record or the file is damaged).
 */
export interface Records {
  /** Everything but the secrets, which stay sealed. */
  all(): { readonly held: Held; readonly note: string }[];
  /** The secrets of a target, the caller's to dispose of; undefined if there is no such record. */
  get(target: Target): Secrets | undefined;
  /** Keeps a record, in place of the one for the same target. The secrets are borrowed; `note` is sealed beside held. */
  put(held: Held, secrets: Secrets, note?: string): void;
  /** Replaces what is known of a record, and leaves its secrets; without such a record it does nothing. */
  annotate(held: Held, note?: string): void;
  /** Removes a record and wipes its bytes off the file. Removing what is not there is no error. */
  remove(target: Target): void;
  /** Makes changes in their order: all of them are durable when it returns, or none is. */
  apply(changes: readonly RecordChange[]): void;
  /** Wipes the keys and releases the file. */
  close(): void;
}

/**
 * Opens the records in `file`, creating it where there is none (in a folder that exists), under a key of 32 bytes that the caller has (it is
 * borrowed for the call). Throws what `openDatabase` throws, and `vault_wrong_key`.
 */
export function openRecords({ file, key, keep }: { file: string; key: Secret; keep: SecretKeeper }): Records {
  const existing = openDatabase(file);
  const database = existing ?? createRecords(file, key, keep);
  try {
    const dataKey = unwrap(decodeHeader(database.header() ?? new Uint8Array(0), file), key, keep);
    if (!dataKey) throw new KeyholdError('vault_wrong_key', `cannot open ${file}: this is not its key`);
    const records = unlockRecords(database, file, dataKey, keep);
    return {
      ...records,
      close() {
        records.close();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

function createRecords(file: string, key: Secret, keep: SecretKeeper): Database {
  const dataKey = randomKey(keep);
  try {
    return createDatabase(file, encodeHeader(wrap(dataKey, key, keep, 'key')));
  } finally {
    dataKey.dispose();
  }
}

/** The records of an open database, under its data key, which is taken over and wiped. Closing them leaves it open. */
export function unlockRecords(database: Database, file: string, dataKey: Secret, keep: SecretKeeper): Records {
  // One key for each use, so that no two algorithms share one.
  const findKey = derive(dataKey, 'keyhold vault 1: find', keep);
  const heldKey = derive(dataKey, 'keyhold vault 1: held', keep);
  const secretsKey = derive(dataKey, 'keyhold vault 1: secrets', keep);
  dataKey.dispose();
  const find = (target: Target) => mac(findKey, identityOf(target)).subarray(0, FOUND_LENGTH);
  const describe = (found: Uint8Array, held: Held, note: string) => {
    const description = Buffer.from(JSON.stringify({ held, note }));
    try {
      return seal(heldKey, description, boundTo('held', found));
    } finally {
      description.fill(0);
    }
  };

  const sealSecrets = (found: Uint8Array, secrets: Secrets) => {
    const plain = encodeSecrets(secrets);
    try {
      return seal(secretsKey, plain, boundTo('secrets', found));
    } finally {
      plain.fill(0);
    }
  };

  return {
    all() {
      return database.rows().map(({ found, held: sealed }) => {
        const plain = unseal(heldKey, sealed, boundTo('held', found));
        if (!plain) throw corrupt(file);
        const { held, note } = JSON.parse(plain.toString()) as { held: Held; note: string };
        plain.fill(0);
        return { held, note };
      });
    },

    get(target) {
      const found = find(target);
      const sealed = database.secrets(found);
      if (!sealed) return undefined;
      const plain = unsealSecret(secretsKey, sealed, boundTo('secrets', found));
      if (!plain) throw corrupt(file);
      try {
        return decodeSecrets(plain, keep);
      } finally {
        plain.fill(0);
      }
    },

    put(held, secrets, note = '') {
      const found = find(held);
      database.put(found, describe(found, held, note), sealSecrets(found, secrets));
    },

    annotate(held, note = '') {
      const found = find(held);
      database.annotate(found, describe(found, held, note));
    },

    remove(target) {
      database.remove(find(target));
    },

    apply(changes) {
      database.apply(
        changes.map((change) => {
          if ('remove' in change) return { remove: find(change.remove) };
          const found = find(change.put);
          const held = describe(found, change.put, change.note ?? '');
          return { put: found, held, secrets: sealSecrets(found, change.secrets) };
        }),
      );
    },

    close() {
      for (const key of [findKey, heldKey, secretsKey]) key.dispose();
    },
  };
}

/** What a seal belongs to: one column of one row of one schema. Moved elsewhere, it does not open. */
function boundTo(column: 'held' | 'secrets', found: Uint8Array): string {
  return `record ${SCHEMA} ${column} ${Buffer.from(found.buffer, found.byteOffset, found.byteLength).toString('hex')}`;
}
