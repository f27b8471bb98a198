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

/** Reads what `encodeSecrets` wrote, into secrets that are the caller's. The bytes stay the caller's to wipe. */
export function decodeSecrets(bytes: Uint8Array, keep: SecretKeeper): Secrets {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== FORMAT) throw new RangeError('unknown format of secrets');
  let at = 2;
  const next = (): Secret => {
    const length = view.getUint32(at);
    at += 4 + length;
    if (at > bytes.length) throw new RangeError('secrets are cut');
    return keep(bytes.subarray(at - length, at));
  };
  const flags = bytes[1]!;
  const secret = flags & HAS_SECRET ? next() : undefined;
  const refreshToken = flags & HAS_REFRESH_TOKEN ? next() : undefined;
  return { secret, refreshToken };
}

/** Copies of both, which are the caller's to dispose of. */
export function copySecrets({ secret, refreshToken }: Secrets, keep: SecretKeeper): Secrets {
  const copy = (original: Secret | undefined) => original && withBytes(original, keep);
  return { secret: copy(secret), refreshToken: copy(refreshToken) };
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
