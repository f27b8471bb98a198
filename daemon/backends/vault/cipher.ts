import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomFillSync } from 'node:crypto';
import type { Secret, SecretKeeper } from '../../../protocol/secret.ts';
import { openSealed } from '../../open-sealed.ts';
import { withBytes } from '../secrets.ts';

const NONCE = 12;
const TAG = 16;
export const KEY_LENGTH = 32;

/**
 * Seals `plain` by AES-256-GCM with a fresh random nonce: nonce, ciphertext, tag. `bound` names where it belongs;
 * what was sealed for one place does not open in another. Keys go in as raw bytes: a KeyObject cannot be wiped. One key may seal 2^32 times (NIST SP 800-38D §8.3).
 */
export function seal(key: Secret, plain: Uint8Array, bound: string): Buffer {
  const nonce = randomBytes(NONCE);
  return withBytes(key, (raw) => {
    const cipher = createCipheriv('aes-256-gcm', raw, nonce);
    cipher.setAAD(Buffer.from(bound));
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  });
}

/** Opens what `seal` made of something that is no secret. Undefined: another key, another place, or damaged. */
export function unseal(key: Secret, sealed: Uint8Array, bound: string): Buffer | undefined {
  if (sealed.length < NONCE + TAG) return undefined;
  return withBytes(key, (raw) => {
    const decipher = createDecipheriv('aes-256-gcm', raw, sealed.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAAD(Buffer.from(bound));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    const plain = decipher.update(sealed.subarray(NONCE, sealed.length - TAG));
    try {
      decipher.final();
      return plain;
    } catch {
      plain.fill(0);
      return undefined;
    }
  });
}

/** The same for secrets, whose plaintext must lie nowhere but in what is answered. */
export function unsealSecret(key: Secret, sealed: Uint8Array, bound: string): Buffer | undefined {
  if (sealed.length < NONCE + TAG) return undefined;
  return withBytes(key, (raw) => {
    const plain = openSealed({
      key: raw,
      iv: sealed.subarray(0, NONCE),
      bytes: sealed.subarray(NONCE, sealed.length - TAG),
      tag: sealed.subarray(sealed.length - TAG),
      bound: Buffer.from(bound),
    });
    return plain && Buffer.from(plain.buffer);
  });
}

/** HMAC-SHA256 of `text` (as UTF-8) under `key`. */
export function mac(key: Secret, text: string): Buffer {
  return withBytes(key, (raw) => createHmac('sha256', raw).update(text).digest());
}

/** A 32-byte key for one purpose, from `key` by HKDF-SHA256. */
export function derive(key: Secret, purpose: string, keep: SecretKeeper): Secret {
  return withBytes(key, (raw) => {
    const derived = new Uint8Array(hkdfSync('sha256', raw, new Uint8Array(0), purpose, KEY_LENGTH));
    try {
      return keep(derived);
    } finally {
      derived.fill(0);
    }
  });
}

/** A fresh random key. */
export function randomKey(keep: SecretKeeper): Secret {
  const bytes = new Uint8Array(KEY_LENGTH);
  randomFillSync(bytes);
  try {
    return keep(bytes);
  } finally {
    bytes.fill(0);
  }
}
