import { createCipheriv, timingSafeEqual } from 'node:crypto';
import { wipeable } from '../protocol/secret.ts';

/** What AES-256-GCM has sealed. */
export type Sealed = {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  readonly bytes: Uint8Array;
  readonly tag: Uint8Array;
  /** What the seal is bound to besides. */
  readonly bound?: Uint8Array | undefined;
};

/**
 * Opens a seal into memory of its own, for the caller to wipe; undefined where it is broken. node's decipher writes its output
 * into memory that is one byte too long, copies it into shorter memory and gives the first back to the allocator as it is: there
 * the plaintext would stay. So only the key stream and the sealed bytes are ever the cipher's output here (NIST SP 800-38D, 7.2).
 */
export function openSealed({ key, iv, bytes, tag, bound }: Sealed): Uint8Array<ArrayBuffer> | undefined {
  const plain = wipeable(bytes.length);
  const stream = createCipheriv('aes-256-gcm', key, iv).update(plain);
  for (let at = 0; at < plain.length; at++) plain[at] = bytes[at]! ^ stream[at]!;
  stream.fill(0);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  if (bound) cipher.setAAD(bound);
  cipher.update(plain);
  cipher.final();
  const own = cipher.getAuthTag();
  if (own.length === tag.length && timingSafeEqual(own, tag)) return plain;
  plain.fill(0);
  return undefined;
}
