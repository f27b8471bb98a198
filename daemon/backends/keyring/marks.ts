import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const SALT_LENGTH = 16;

/**
 * A salted mark of a value, by which an item can be told to hold it after a crash in the middle of a put. It stands in
 * the sealed index only until the put is known to be whole.
 */
export function markOf(value: Uint8Array, salt: Uint8Array = randomBytes(SALT_LENGTH)): string {
  return Buffer.concat([salt, createHmac('sha256', salt).update(value).digest()]).toString('base64');
}

/** Whether `value` is the one that was marked. */
export function isMarked(mark: string, value: Uint8Array): boolean {
  const bytes = Buffer.from(mark, 'base64');
  const again = Buffer.from(markOf(value, bytes.subarray(0, SALT_LENGTH)), 'base64');
  return bytes.length === again.length && timingSafeEqual(bytes, again);
}
