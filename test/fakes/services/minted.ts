import { createHmac, randomBytes } from 'node:crypto';

/** Letters and digits by chance, ending in EXAMPLE as every secret of a test does. */
export function alphanumeric(length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const chance = [...randomBytes(length)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return `${chance.slice(0, Math.max(0, length - 7))}${length > 7 ? 'EXAMPLE' : ''}`.padEnd(length, chance);
}

export type Claims = Readonly<Record<string, unknown>>;

/** A JSON Web Token signed with HS256 (RFC 7519, RFC 7515 appendix A.1). */
export function signJwt(claims: Claims, key: string): string {
  const head = encode({ typ: 'JWT', alg: 'HS256' });
  const body = `${head}.${encode(claims)}`;
  return `${body}.${signature(body, key)}`;
}

/** The claims of a token that `key` has signed; undefined for anything else. */
export function readJwt(token: string, key: string): Claims | undefined {
  const [head = '', payload = '', signed = '', ...rest] = token.split('.');
  if (rest.length > 0 || signed === '' || signed !== signature(`${head}.${payload}`, key)) return undefined;
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Claims;
}

/** The time-based one-time password of RFC 6238: six digits, 30 seconds, SHA-1. */
export function totp(key: Buffer, seconds: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac('sha1', key).update(counter).digest();
  const at = digest.at(-1)! & 0x0f;
  return `${(digest.readUInt32BE(at) & 0x7fff_ffff) % 1_000_000}`.padStart(6, '0');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signature(text: string, key: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}
