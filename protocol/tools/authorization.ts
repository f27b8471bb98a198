import type { Credential } from '../credential.ts';
import { KeyholdError } from '../errors.ts';
import { expose, wipeable } from '../secret.ts';
import type { ByteWriter } from '../writer.ts';

/**
 * Writes the value of the Authorization header that `credential` makes (RFC 9110, 11.6.2): its own scheme where it has
 * one, else Basic with a username and Bearer without. Throws `bad_request` for a control byte, and where there is no
 * secret, and has written nothing then.
 */
export function writeAuthorization({ authtype, username, secret }: Credential, out: ByteWriter): void {
  if (!secret) throw new KeyholdError('not_found', 'cannot write the header: what is held has no value');
  const start = out.length;
  // The scheme and the secret are looked at as they are, whatever form they take afterwards.
  out.attribute('authtype', authtype ?? '');
  out.attribute('username', username ?? '');
  out.secret(secret);
  out.truncate(start);
  if (authtype === undefined && username !== undefined) {
    if (username.includes(':')) {
      throw new KeyholdError('bad_request', 'cannot write the header: a username with ":" cannot be told in it');
    }
    writeBasic(username, expose(secret), out);
    return;
  }
  out.text(`${authtype ?? 'Bearer'} `);
  out.secret(secret);
}

/** `Basic`, and user and password in base64 (RFC 7617). Wipes the secret's bytes. */
function writeBasic(username: string, secret: Uint8Array, out: ByteWriter): void {
  const pair = wipeable(username.length + 1 + secret.length);
  Buffer.from(pair.buffer).write(`${username}:`, 'latin1');
  pair.set(secret, username.length + 1);
  secret.fill(0);
  out.text('Basic ');
  writeBase64(pair, out);
  pair.fill(0);
}

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PAD = 0x3d;

/** Base64 with padding (RFC 4648, 4), bytes to bytes, so that a secret is never text. */
function writeBase64(bytes: Uint8Array, out: ByteWriter): void {
  const encoded = wipeable(Math.ceil(bytes.length / 3) * 4);
  for (let from = 0, to = 0; from < bytes.length; from += 3) {
    const [first, second, third] = [bytes[from]!, bytes[from + 1], bytes[from + 2]];
    const bits = (first << 16) | ((second ?? 0) << 8) | (third ?? 0);
    encoded[to++] = ALPHABET[bits >> 18]!;
    encoded[to++] = ALPHABET[(bits >> 12) & 63]!;
    encoded[to++] = second === undefined ? PAD : ALPHABET[(bits >> 6) & 63]!;
    encoded[to++] = third === undefined ? PAD : ALPHABET[bits & 63]!;
  }
  out.bytes(encoded);
  encoded.fill(0);
}
