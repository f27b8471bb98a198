import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers } from '../../../platform/durable.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { SecretKeeper } from '../../../protocol/secret.ts';
import type { Clock } from '../../clock.ts';
import { randomKey } from './cipher.ts';
import type { Database } from './database.ts';
import { FileVault, type Vault } from './file-vault.ts';
import { FormerKey } from './former-key.ts';
import { decodeHeader, encodeHeader } from './header.ts';
import { createDatabase, openDatabase } from './open-database.ts';
import type { Argon2Params } from './passphrase.ts';
import { storageFault } from './storage-fault.ts';
import { type KeyPlace, type KeyPlaces, type KeySource, wrapByKey } from './vault-key.ts';

export type VaultOptions = {
  /** Where `vault.db` and, without a passphrase, `vault.key` lie. Created 0700 where it is missing. */
  readonly folder: string;
  readonly keep: SecretKeeper;
  /** What a passphrase set from now on shall cost; a second and 256 MiB unless told. */
  readonly kdf?: Argon2Params | undefined;
  /** Where the key can rest instead of in a key file. */
  readonly keySource?: KeySource | undefined;
  /** Where the key of a new vault rests. @default the key source where there is one, else the key file */
  readonly keyPlace?: KeyPlace | undefined;
  /** Whether credentials are known to rest here, so that a missing file was lost and is no new one. */
  readonly isExpected?: boolean | undefined;
  /** With it a change of the key that needed no passphrase can be undone for a day; without it the former key goes at once. */
  readonly clock?: Clock | undefined;
};

/**
 * Opens the vault in a folder, creating it where there is none. With a passphrase it opens locked, and also where the
 * key's source is locked; else it opens ready. Throws `vault_truncated`, `vault_corrupt`, `vault_newer`,
 * `vault_in_use`, `vault_key_missing`, `vault_wrong_key`, `unsafe_place`, and `vault_missing` where one was here before; what cannot
 * be opened is left as it is.
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { folder, keep, kdf, keySource, keyPlace = keySource ? 'key-source' : 'key-file' } = options;
  const file = join(folder, 'vault.db');
  const places: KeyPlaces = { file, keyFile: join(folder, 'vault.key'), keySource, kdf, keep };
  const hosts = `${folder}/vault.hosts`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const existing = openDatabase(file);
  if (!existing && (options.isExpected || existsSync(hosts))) throw missing(folder);
  const database = existing ?? (await createVault(places, keyPlace));
  try {
    removeLeftovers(file);
    removeLeftovers(places.keyFile);
    const header = decodeHeader(database.header() ?? new Uint8Array(0), file);
    const former = new FormerKey(join(folder, 'vault.undo'), options.clock);
    former.note();
    const vault = new FileVault(database, header, places, keyPlace, former);
    // With the key in use gone and the former one still there, it opens locked, and the change can be undone.
    const mayMiss = former.of(header, file) !== undefined;
    if (!vault.needsPassphrase) await unlockUnlessLocked(vault, mayMiss);
    return vault;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** An empty vault in the place of a lost one would look as if everything had been erased. */
function missing(folder: string): KeyholdError {
  return new KeyholdError(
    'vault_missing',
    `cannot open ${folder}/vault.db: it is not there, and credentials rested in it; put it back or, to begin with an empty one, run: rm -f ${folder}/backend ${folder}/vault.hosts && keyhold restart`,
  );
}

async function createVault(places: KeyPlaces, place: KeyPlace): Promise<Database> {
  const dataKey = randomKey(places.keep);
  try {
    return createDatabase(places.file, encodeHeader(await wrapByKey(dataKey, places, place)));
  } catch (error) {
    throw storageFault(error, 'create', places.file).fault;
  } finally {
    dataKey.dispose();
  }
}

async function unlockUnlessLocked(vault: Vault, mayMiss: boolean): Promise<void> {
  try {
    await vault.unlock({ mayPrompt: false });
  } catch (error) {
    if (!(error instanceof KeyholdError)) throw error;
    const isMissing = error.code === 'vault_key_missing' || error.code === 'vault_wrong_key';
    if (error.code !== 'backend_locked' && !(mayMiss && isMissing)) throw error;
  }
}
