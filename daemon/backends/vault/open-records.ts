import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { randomKey } from './cipher.ts';
import type { Database } from './database.ts';
import { decodeHeader, encodeHeader, unwrap, wrap } from './header.ts';
import { createDatabase, openDatabase } from './open-database.ts';
import { type Records, unlockRecords } from './records.ts';

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
      get damaged() {
        return records.damaged;
      },
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
