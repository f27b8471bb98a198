import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { randomKey } from './cipher.ts';
import { type Header, unwrap, wrap } from './header.ts';
import { createKeyFile, readKeyFile, removeKeyFile } from './key-file.ts';
import { type Argon2Params, keyFromPassphrase, newKdf } from './passphrase.ts';

/** A key of 32 bytes that rests elsewhere, such as in one keyring item. Throws the faults of a backend. */
export interface KeySource {
  /** The key, the caller's to dispose of; undefined if none was ever written. */
  read(): Promise<Secret | undefined>;
  /** Keeps the key durably. It is borrowed until the promise settles. */
  write(key: Secret): Promise<void>;
  /** Asks the person to unlock the place that it rests in, if that is locked. */
  unlock?(): Promise<void>;
}

/** Where a vault's key rests that no passphrase makes: in a file beside it, or in the key source. */
export type KeyPlace = 'key-file' | 'key-source';

/** Where a vault's keys are found and put. */
export type KeyPlaces = {
  /** The vault's file, for messages. */
  readonly file: string;
  readonly keyFile: string;
  readonly keySource?: KeySource | undefined;
  readonly kdf?: Argon2Params | undefined;
  readonly keep: SecretKeeper;
};

/**
 * The data key that `header` wraps, the caller's to dispose of. Throws `interaction_required` (a passphrase is needed),
 * `wrong_passphrase`, `vault_key_missing`, `vault_wrong_key`, or the fault of the key source.
 */
export async function dataKeyOf(header: Header, passphrase: Secret | undefined, places: KeyPlaces): Promise<Secret> {
  const key = await wrappingKey(header, passphrase, places);
  try {
    const dataKey = unwrap(header, key, places.keep);
    if (dataKey) return dataKey;
  } finally {
    key.dispose();
  }
  throw header.kind === 'passphrase'
    ? new KeyholdError('wrong_passphrase', 'cannot unlock the vault: this is not its passphrase')
    : new KeyholdError('vault_wrong_key', `cannot open ${places.file}: the key that was found is not its key`);
}

/** A header that wraps `dataKey` by a passphrase. */
export async function wrapByPassphrase(dataKey: Secret, passphrase: Secret, places: KeyPlaces): Promise<Header> {
  const kdf = newKdf(places.kdf);
  const key = await keyFromPassphrase(passphrase, kdf, places.keep);
  return wrapAndDispose(dataKey, key, places, 'passphrase', kdf);
}

/**
 * A header that wraps `dataKey` by a key that rests in `place`. One that rests there already is used and never replaced:
 * another vault may need it, and this one until its new header is durable.
 */
export async function wrapByKey(dataKey: Secret, places: KeyPlaces, place: KeyPlace): Promise<Header> {
  const { keySource, keyFile, keep } = places;
  if (place === 'key-file' || !keySource) {
    return wrapAndDispose(dataKey, readKeyFile(keyFile, keep) ?? createKeyFile(keyFile, keep), places, 'key-file');
  }
  let key = await keySource.read();
  if (!key) {
    key = randomKey(keep);
    try {
      await keySource.write(key);
    } catch (error) {
      key.dispose();
      throw error;
    }
  }
  return wrapAndDispose(dataKey, key, places, 'key-source');
}

/** Forgets the key file if `header` no longer needs it. */
export function dropKeyFile(header: Header, { keyFile }: KeyPlaces): void {
  if (header.kind !== 'key-file') removeKeyFile(keyFile);
}

async function wrappingKey(header: Header, passphrase: Secret | undefined, places: KeyPlaces): Promise<Secret> {
  const missing = (where: string) =>
    new KeyholdError('vault_key_missing', `cannot open ${places.file}: its key ${where}; restore the key or a backup`);
  switch (header.kind) {
    case 'passphrase':
      if (!passphrase || !header.kdf) {
        throw new KeyholdError(
          'interaction_required',
          'cannot unlock the vault: it needs a passphrase; run: keyhold unlock',
        );
      }
      return keyFromPassphrase(passphrase, header.kdf, places.keep);
    case 'key-file': {
      const key = readKeyFile(places.keyFile, places.keep);
      if (!key) throw missing(`is not in ${places.keyFile}`);
      return key;
    }
    case 'key-source': {
      const key = await places.keySource?.read();
      if (!key) throw missing('is not in the keyring');
      return key;
    }
    case 'key':
      throw missing('belongs to another backend');
  }
}

function wrapAndDispose(dataKey: Secret, key: Secret, { keep }: KeyPlaces, ...rest: [Header['kind'], Header['kdf']?]) {
  try {
    return wrap(dataKey, key, keep, ...rest);
  } finally {
    key.dispose();
  }
}
