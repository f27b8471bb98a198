import { createHash, timingSafeEqual } from 'node:crypto';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { withBytes } from '../secrets.ts';
import { derive, seal, unsealSecret } from './cipher.ts';
import type { Kdf } from './passphrase.ts';

/** Version of all that a vault file holds: tables, seals and this header. A newer one is refused untouched. */
export const SCHEMA = 1;
const CHECKSUM = 32;

const kinds = ['key', 'key-file', 'key-source', 'passphrase'] as const;

/**
 * What stands readable in front of the records: where the key comes from that wraps the data key. `key`: 32 bytes that
 * the caller brings; `key-file`, `key-source`: the vault finds them itself; `passphrase`: derived as `kdf` says.
 */
export type Header = {
  readonly kind: (typeof kinds)[number];
  readonly kdf?: Kdf | undefined;
  /** The data key, sealed under that key. */
  readonly wrapped: string;
};

/** The header as bytes: a checksum without a key, so that damage is told from a wrong key, then JSON. */
export function encodeHeader(header: Header): Buffer {
  const body = Buffer.from(JSON.stringify(header));
  return Buffer.concat([checksum(body), body]);
}

/** Reads a header. Throws `vault_corrupt` when it is not what was written. */
export function decodeHeader(bytes: Uint8Array, file: string): Header {
  const body = bytes.subarray(CHECKSUM);
  const whole = bytes.length > CHECKSUM && timingSafeEqual(bytes.subarray(0, CHECKSUM), checksum(body));
  const header = whole ? (JSON.parse(Buffer.from(body).toString()) as Partial<Header>) : undefined;
  // The checksum has no key, so whoever writes a file can make it fit: the shape is looked at too.
  if (!header?.kind || !kinds.includes(header.kind) || typeof header.wrapped !== 'string') {
    throw new KeyholdError('vault_corrupt', `cannot open ${file}: its header is damaged; restore a backup`);
  }
  return header as Header;
}

/** A header whose data key is sealed under `key`. */
export function wrap(dataKey: Secret, key: Secret, keep: SecretKeeper, kind: Header['kind'], kdf?: Kdf): Header {
  const wrapping = derive(key, 'keyhold vault 1: wrap', keep);
  try {
    const wrapped = withBytes(dataKey, (bytes) => seal(wrapping, bytes, boundTo(kind, kdf)));
    return { kind, kdf, wrapped: wrapped.toString('base64') };
  } finally {
    wrapping.dispose();
  }
}

/** The data key, or undefined if `key` is not the one that it was wrapped with. */
export function unwrap({ kind, kdf, wrapped }: Header, key: Secret, keep: SecretKeeper): Secret | undefined {
  const wrapping = derive(key, 'keyhold vault 1: wrap', keep);
  const bytes = unsealSecret(wrapping, Buffer.from(wrapped, 'base64'), boundTo(kind, kdf));
  wrapping.dispose();
  if (!bytes) return undefined;
  try {
    return keep(bytes);
  } finally {
    bytes.fill(0);
  }
}

function boundTo(kind: Header['kind'], kdf: Kdf | undefined): string {
  return JSON.stringify(['header', SCHEMA, kind, kdf ?? null]);
}

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}
