import { createHash } from 'node:crypto';
import { KeyholdError } from '../../protocol/errors.ts';
import { heapSecret, type Secret, type SecretKeeper } from '../../protocol/secret.ts';
import { inSlices } from '../slices.ts';
import type { Held, Secrets } from './backend.ts';
import { heldIn, recordOf } from './record.ts';
import { decodeSecrets, disposeSecrets, encodeSecrets } from './secrets.ts';
import { derive, seal, unseal, unsealSecret } from './vault/cipher.ts';
import { type Argon2Params, type Kdf, keyFromPassphrase, newKdf } from './vault/passphrase.ts';

/** Version of header and records. A newer one is refused. */
const VERSION = 1;

/** A credential in a backup: what is held, and its secrets. */
export type BackupItem = { readonly held: Held; readonly secrets: Secrets };

/** A backup in text: one line of header, one line (base64) for each credential. */
export type SealedBackup = { readonly header: string; readonly records: string[] };

/** A backup whose passphrase was right. Its records may come in batches, in any order. */
export interface OpenBackup {
  /** How many records belong to it and were not read yet. */
  readonly missing: number;
  /** Reads records; the secrets are the caller's. Throws `vault_corrupt` for a damaged, foreign or repeated one. */
  read(records: Iterable<string>): BackupItem[];
  /** Begins anew: what was read may be read once more. */
  again(): void;
  /** Wipes its key. */
  dispose(): void;
}

type Header = {
  readonly keyhold: 'backup';
  readonly version: number;
  readonly count: number;
  readonly kdf: Kdf;
  /** Nothing, sealed: it opens under the right passphrase only. */
  readonly check: string;
  /** SHA-256 of the rest, which tells damage from a wrong passphrase. */
  readonly sum: string;
};

/** Seals the records of one backup, as many as its header says. */
export interface BackupSealer {
  /** The first line. */
  readonly header: string;
  /** The next record: one line of base64. The secrets are borrowed for the call. */
  seal(item: BackupItem): string;
  /** Begins anew, with another number of records: another header, and nothing that was sealed before belongs to it. */
  again(count: number): void;
  /** Wipes its keys. */
  dispose(): void;
}

/**
 * Begins a backup of `count` records by a passphrase, which is borrowed until the promise settles. Each record is sealed by itself
 * and bound to its header, so that a file can be restored in batches and no record moves to another backup. Throws `secret_unfit`
 * for an empty passphrase.
 */
export async function openSealer(passphrase: Secret, count: number, cost?: Argon2Params): Promise<BackupSealer> {
  if (passphrase.length === 0)
    throw new KeyholdError('secret_unfit', 'cannot seal the backup: the passphrase is empty');
  const kdf = newKdf(cost);
  const key = await keyFromPassphrase(passphrase, kdf, heapSecret);
  const recordKey = derive(key, PURPOSE.record, heapSecret);
  const headerFor = (records: number) =>
    encodeHeader(key, { keyhold: 'backup', version: VERSION, count: records, kdf });
  let header = headerFor(count);
  let bound = digest(header);
  let sealed = 0;
  return {
    get header() {
      return header;
    },
    seal: (item) => sealRecord(recordKey, bound, sealed++, item),
    again(records) {
      header = headerFor(records);
      bound = digest(header);
      sealed = 0;
    },
    dispose() {
      key.dispose();
      recordKey.dispose();
    },
  };
}

/** A whole backup at once. */
export async function sealBackup(
  passphrase: Secret,
  items: readonly BackupItem[],
  cost?: Argon2Params,
): Promise<SealedBackup> {
  const sealer = await openSealer(passphrase, items.length, cost);
  try {
    const records: string[] = [];
    await inSlices(items, (item) => records.push(sealer.seal(item)));
    return { header: sealer.header, records };
  } finally {
    sealer.dispose();
  }
}

/**
 * Opens a backup by its header, once for all batches, because the passphrase costs a second. Throws `vault_newer`,
 * `vault_corrupt` (the header is damaged or is none) and `wrong_passphrase`.
 */
export async function openBackup(passphrase: Secret, header: string, keep: SecretKeeper): Promise<OpenBackup> {
  const { count, kdf, check } = decodeHeader(header);
  const key = await keyFromPassphrase(passphrase, kdf, keep);
  const checkKey = derive(key, PURPOSE.check, keep);
  const recordKey = derive(key, PURPOSE.record, keep);
  key.dispose();
  const right = unseal(checkKey, Buffer.from(check, 'base64'), `backup ${VERSION} check`) !== undefined;
  checkKey.dispose();
  if (!right) {
    recordKey.dispose();
    throw new KeyholdError('wrong_passphrase', 'cannot open the backup: this is not its passphrase');
  }
  const bound = digest(header);
  const seen = new Set<number>();

  return {
    get missing() {
      return count - seen.size;
    },
    read(records) {
      const items: BackupItem[] = [];
      try {
        for (const record of records) {
          const { index, ...item } = openRecord(recordKey, bound, record, keep);
          items.push(item);
          if (seen.has(index)) throw damaged('a record stands in it twice');
          seen.add(index);
        }
      } catch (error) {
        for (const { secrets } of items) disposeSecrets(secrets);
        throw error;
      }
      return items;
    },
    again: () => seen.clear(),
    dispose: () => recordKey.dispose(),
  };
}

const PURPOSE = { check: 'keyhold backup 1: check', record: 'keyhold backup 1: record' };

function encodeHeader(key: Secret, rest: Omit<Header, 'check' | 'sum'>): string {
  const checkKey = derive(key, PURPOSE.check, heapSecret);
  const check = seal(checkKey, new Uint8Array(0), `backup ${VERSION} check`).toString('base64');
  checkKey.dispose();
  return JSON.stringify({ ...rest, check, sum: digest(JSON.stringify({ ...rest, check })) });
}

function decodeHeader(line: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(line) as Partial<Header> | null;
  } catch {
    throw damaged('its first line is no header');
  }
  if (header?.keyhold !== 'backup') throw damaged('its first line is no header');
  if (typeof header.version === 'number' && header.version > VERSION) {
    throw new KeyholdError(
      'vault_newer',
      `cannot open the backup: its version is ${header.version} and this keyhold knows ${VERSION}; install the newer keyhold`,
    );
  }
  const { sum, ...rest } = header;
  // The sum has no key, so whoever writes a file can make it fit: the shape is looked at too.
  const shaped = Number.isSafeInteger(rest.count) && typeof rest.check === 'string' && rest.kdf instanceof Object;
  if (sum !== digest(JSON.stringify(rest)) || !shaped) throw damaged('its header was changed');
  return header as Header;
}

/** One line: base64 of the sealed index and length of the description (32 bits each), the description, the secrets. */
function sealRecord(key: Secret, bound: string, index: number, { held, secrets }: BackupItem): string {
  const description = Buffer.from(JSON.stringify(recordOf(held)));
  const encoded = encodeSecrets(secrets);
  const plain = Buffer.alloc(8 + description.length + encoded.length);
  plain.writeUInt32BE(index, 0);
  plain.writeUInt32BE(description.length, 4);
  plain.set(description, 8);
  plain.set(encoded, 8 + description.length);
  encoded.fill(0);
  try {
    return seal(key, plain, `backup ${VERSION} record ${bound}`).toString('base64');
  } finally {
    plain.fill(0);
  }
}

function openRecord(key: Secret, bound: string, record: string, keep: SecretKeeper): BackupItem & { index: number } {
  const plain = unsealSecret(key, Buffer.from(record, 'base64'), `backup ${VERSION} record ${bound}`);
  if (!plain) throw damaged('a record was changed or belongs to another backup');
  try {
    const end = 8 + plain.readUInt32BE(4);
    const held = heldIn(JSON.parse(plain.toString('utf8', 8, end)) as Held);
    return { index: plain.readUInt32BE(0), held, secrets: decodeSecrets(plain.subarray(end), keep) };
  } finally {
    plain.fill(0);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function damaged(rule: string): KeyholdError {
  return new KeyholdError('vault_corrupt', `cannot open the backup: ${rule}; take another copy of it`);
}
