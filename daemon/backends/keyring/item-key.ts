import { randomBytes } from 'node:crypto';
import { KeyholdError } from '../../../protocol/errors.ts';
import { expose, type Secret, type SecretKeeper, wipeable } from '../../../protocol/secret.ts';
import type { KeyringItems } from './items.ts';
import type { ItemName } from './names.ts';

const KEY_LENGTH = 32;

/** The key that rests in an item, the caller's to dispose of; undefined if there is no such item. */
export async function readKey(items: KeyringItems, name: ItemName, keep: SecretKeeper): Promise<Secret | undefined> {
  const digits = await items.get(name);
  if (digits === undefined) return undefined;
  const key = fromHex(digits);
  digits.fill(0);
  if (key?.length !== KEY_LENGTH) {
    throw new KeyholdError('backend_failed', `cannot use the keyring item of ${name.service}: it holds no key of ours`);
  }
  const secret = keep(key);
  key.fill(0);
  return secret;
}

/** Writes a key into an item. In hexadecimal digits, because some keyrings hold text only. */
export async function writeKey(items: KeyringItems, name: ItemName, key: Secret): Promise<void> {
  const bytes = expose(key);
  const digits = toHex(bytes);
  bytes.fill(0);
  try {
    await items.set(name, digits);
  } finally {
    digits.fill(0);
  }
}

/** The key of an item, made at random and written first where there is none yet. */
export async function readOrMakeKey(items: KeyringItems, name: ItemName, keep: SecretKeeper): Promise<Secret> {
  const found = await readKey(items, name, keep);
  if (found) return found;
  const bytes = randomBytes(KEY_LENGTH);
  const fresh = keep(bytes);
  bytes.fill(0);
  try {
    await writeKey(items, name, fresh);
  } finally {
    fresh.dispose();
  }
  // What rests there counts: another agent may have made one at the same moment.
  const kept = await readKey(items, name, keep);
  if (kept) return kept;
  throw new KeyholdError('backend_failed', 'cannot use the keyring: it does not keep what is written to it');
}

const DIGITS = new TextEncoder().encode('0123456789abcdef');

// Not Buffer's: its text form would be a string, which cannot be wiped.
function toHex(bytes: Uint8Array): Uint8Array {
  const digits = wipeable(bytes.length * 2);
  for (const [i, byte] of bytes.entries()) {
    digits[2 * i] = DIGITS[byte >> 4]!;
    digits[2 * i + 1] = DIGITS[byte & 15]!;
  }
  return digits;
}

function fromHex(digits: Uint8Array): Uint8Array | undefined {
  const bytes = wipeable(digits.length >> 1);
  for (let i = 0; i < bytes.length; i++) {
    const [high, low] = [DIGITS.indexOf(digits[2 * i]!), DIGITS.indexOf(digits[2 * i + 1]!)];
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return digits.length % 2 === 0 ? bytes : undefined;
}
