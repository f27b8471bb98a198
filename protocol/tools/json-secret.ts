import { KeyholdError } from '../errors.ts';
import { expose, type Secret } from '../secret.ts';
import type { ByteWriter } from '../writer.ts';
import { JsonObject } from './json.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Some credentials are more than one secret: a certificate and its key, three parts of an AWS key. They are kept as one
 * JSON object without white space around it, by the names that the tool itself gives to its parts.
 */
export function isJsonSecret(secret: Secret): boolean {
  const bytes = expose(secret);
  try {
    return bytes[0] === OPEN && bytes.at(-1) === CLOSE;
  } finally {
    bytes.fill(0);
  }
}

/**
 * Whether all of `needed`, and nothing but these and `others`, is in it, each a text. Throws `unsupported` if not: a
 * certificate without its key must not go out.
 */
export function openJsonSecret(secret: Secret, needed: readonly string[], others: readonly string[]): void {
  const bytes = Buffer.from(expose(secret).buffer);
  try {
    const object = JsonObject.read(bytes);
    const names = [...object.names()];
    const isWhole = needed.every((name) => object.hasText(name));
    if (isWhole && names.every((name) => object.hasText(name) && [...needed, ...others].includes(name))) return;
  } finally {
    bytes.fill(0);
  }
  throw new KeyholdError('unsupported', `what is held is not whole: it needs ${needed.join(' and ')}; store it again`);
}

/** Writes it with one more member, given as text, at its end. */
export function writeJsonSecretWith(secret: Secret, member: string, output: ByteWriter): void {
  output.secret(secret);
  if (member === '') return;
  output.truncate(output.length - 1);
  output.text(`,${member}}`);
}
