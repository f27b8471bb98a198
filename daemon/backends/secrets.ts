import { KeyholdError } from '../../protocol/errors.ts';
import { expose, type Secret, type SecretKeeper } from '../../protocol/secret.ts';
import type { Secrets } from './backend.ts';

const FORMAT = 1;
const HAS_SECRET = 1;
const HAS_REFRESH_TOKEN = 2;

/** Both secrets as bytes, for sealing: format, flags, then length (32 bits) and bytes of each. The caller wipes them. */
export function encodeSecrets({ secret, refreshToken }: Secrets): Uint8Array {
  const parts = [secret, refreshToken].filter((part): part is Secret => part !== undefined);
  const bytes = new Uint8Array(2 + parts.reduce((length, part) => length + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  bytes[0] = FORMAT;
  bytes[1] = (secret ? HAS_SECRET : 0) | (refreshToken ? HAS_REFRESH_TOKEN : 0);
  let at = 2;
  for (const part of parts) {
    view.setUint32(at, part.length);
    at += 4;
    at += part.copyTo(bytes, at);
  }
  return bytes;
}

/**
 * Reads what `encodeSecrets` wrote, into secrets that are the caller's. The bytes stay the caller's to wipe. Throws
 * `vault_corrupt` for bytes that it did not write.
 */
export function decodeSecrets(bytes: Uint8Array, keep: SecretKeeper): Secrets {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = () => new KeyholdError('vault_corrupt', 'cannot read a record: its secrets have an unknown form');
  if (bytes.length < 2 || bytes[0] !== FORMAT) throw damaged();
  let at = 2;
  const next = (): Uint8Array => {
    const start = at + 4;
    if (start > bytes.length) throw damaged();
    at = start + view.getUint32(at);
    if (at > bytes.length) throw damaged();
    return bytes.subarray(start, at);
  };
  const secret = bytes[1]! & HAS_SECRET ? next() : undefined;
  const refreshToken = bytes[1]! & HAS_REFRESH_TOKEN ? next() : undefined;
  return keepBoth(secret, refreshToken, keep);
}

/** Copies of both, which are the caller's to dispose of. */
export function copySecrets({ secret, refreshToken }: Secrets, keep: SecretKeeper): Secrets {
  const lend = (original: Secret | undefined, use: (bytes: Uint8Array | undefined) => Secrets) =>
    original ? withBytes(original, use) : use(undefined);
  return lend(secret, (one) => lend(refreshToken, (other) => keepBoth(one, other, keep)));
}

/** Wipes both. */
export function disposeSecrets({ secret, refreshToken }: Secrets): void {
  secret?.dispose();
  refreshToken?.dispose();
}

/** Lends the bytes of a secret to `use` and wipes them. */
export function withBytes<T>(secret: Secret, use: (bytes: Uint8Array) => T): T {
  const bytes = expose(secret);
  try {
    return use(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Keeps both or none: where there is no memory for the second, the first is not left behind. */
function keepBoth(secret: Uint8Array | undefined, refreshToken: Uint8Array | undefined, keep: SecretKeeper): Secrets {
  const first = secret && keep(secret);
  try {
    return { secret: first, refreshToken: refreshToken && keep(refreshToken) };
  } catch (error) {
    first?.dispose();
    throw error;
  }
}
