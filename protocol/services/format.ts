import type { EpochSeconds } from '../credential.ts';
import { wipeable } from '../secret.ts';
import { decodeBase64 } from './base64.ts';
import { claimsOf } from './jwt.ts';
import { kindOf } from './kinds.ts';
import type { Alphabet, Format, Kind, Manifest } from './manifest.ts';
import { matches, patternOf, VALUE_MAX } from './pattern.ts';

export type Checked =
  | {
      readonly status: 'ok';
      readonly kind: Kind;
      /** The value without the white space that was pasted with it. Memory of its own, the caller's to wipe. */
      readonly value: Uint8Array;
      /** What a fingerprint is taken of: equal for every spelling of one token. The caller's to wipe. */
      readonly canonical: Uint8Array;
      /** What a JWT says of itself. Nothing has proved it. */
      readonly id?: string;
      readonly expiresAt?: EpochSeconds;
      /** White space was taken from its ends. */
      readonly trimmed: boolean;
    }
  /** In words that fit behind "cannot take the token: ". They never hold a part of the value. */
  | { readonly status: 'unfit'; readonly why: string };

/**
 * Checks a value against the formats of a service, before it is stored: against the kind that was named, else against
 * each. `secret` stays the caller's to wipe, and is never text here.
 */
export function checkFormat(manifest: Manifest, secret: Uint8Array, kindName?: string): Checked {
  const named = kindName === undefined ? undefined : kindOf(manifest, kindName);
  if (kindName !== undefined && !named) {
    return unfit(`${manifest.title} has no such kind; it has ${manifest.kinds.map(({ name }) => name).join(', ')}`);
  }
  const [start, end] = trimmed(secret);
  if (end === start) return unfit('it is empty');
  if (end - start > VALUE_MAX) return unfit(`it is longer than ${VALUE_MAX} bytes`);
  const inside = whyNoToken(secret.subarray(start, end));
  if (inside) return unfit(inside);
  const value = copyOf(secret.subarray(start, end));
  const reasons: string[] = [];
  for (const kind of named ? [named] : manifest.kinds) {
    const answer = checkKind(kind.format ?? {}, value);
    if (typeof answer !== 'string') {
      return { status: 'ok', kind, value, ...answer, trimmed: value.length < secret.length };
    }
    reasons.push(answer);
  }
  value.fill(0);
  const known = named ?? (manifest.kinds.length === 1 ? manifest.kinds[0] : undefined);
  if (known) return unfit(`${reasons[0]} (${titleOf(known)} of ${manifest.title})`);
  const each = manifest.kinds.map((kind, at) => `${titleOf(kind)}: ${reasons[at]}`).join('; ');
  return unfit(`it is no token of ${manifest.title} (${each})`);
}

type Facts = { readonly canonical: Uint8Array; readonly id?: string; readonly expiresAt?: EpochSeconds };

/** The facts of a value, or why it is none of this format. */
function checkKind(format: Format, value: Uint8Array): Facts | string {
  const { prefixes, length: { min = 0, max = VALUE_MAX } = {}, alphabet, pattern } = format;
  if (prefixes && !prefixes.some((prefix) => startsWith(value, prefix)))
    return `it does not begin with ${or(prefixes)}`;
  if (value.length < min || value.length > max) {
    const wanted = min === max ? `${min}` : format.length?.max === undefined ? `at least ${min}` : `${min} to ${max}`;
    return `it has ${value.length} characters, where ${wanted} are needed`;
  }
  const fits = alphabet === undefined ? undefined : alphabets[alphabet];
  if (fits && !value.every(fits)) return `it holds a character that is not ${alphabetNames[alphabet!]}`;
  if (pattern !== undefined && !matches(patternOf(pattern), value)) return 'it does not have the right form';
  if (format.decode === 'base64') return checkBase64(value, format.decodedLength);
  if (format.decode === 'jwt') return checkJwt(value, format);
  return { canonical: copyOf(value) };
}

function checkBase64(value: Uint8Array, length: number | undefined): Facts | string {
  const canonical = decodeBase64(value);
  if (!canonical) return 'it is not base64';
  if (length !== undefined && canonical.length !== length) {
    const why = `it decodes to ${canonical.length} bytes, where ${length} are needed`;
    canonical.fill(0);
    return why;
  }
  return { canonical };
}

function checkJwt(value: Uint8Array, { idClaim, expiryClaim }: Format): Facts | string {
  const claims = claimsOf(
    value,
    [idClaim, expiryClaim].filter((name) => name !== undefined),
  );
  if (!claims) return 'it is no JWT';
  const id = idClaim === undefined ? undefined : claims.get(idClaim);
  const expiresAt = expiryClaim === undefined ? undefined : claims.get(expiryClaim);
  return {
    canonical: copyOf(value),
    ...(typeof id === 'string' ? { id } : {}),
    ...(typeof expiresAt === 'number' && expiresAt > 0 ? { expiresAt: Math.floor(expiresAt) } : {}),
  };
}

/** Where the value begins and ends without the white space around it. */
function trimmed(bytes: Uint8Array): [start: number, end: number] {
  let [start, end] = [0, bytes.length];
  while (start < end && isSpace(bytes[start]!)) start++;
  while (end > start && isSpace(bytes[end - 1]!)) end--;
  return [start, end];
}

/** Why no token of any service looks like this: what a careless copy brings along. */
function whyNoToken(value: Uint8Array): string | undefined {
  if (value.some(isSpace)) return 'it holds white space: more than a token was copied';
  if (value.some((byte) => byte < 0x20 || byte === 0x7f)) return 'it holds a control character';
  if (value.length > 1 && isQuote(value[0]!) && value.at(-1) === value[0]) return 'it stands in quotes; leave them out';
  if (startsWith(value, 'Bearer') && value.length < 10) return 'it is the word before a token; copy what follows it';
  return undefined;
}

const alphabets: Readonly<Record<Alphabet, (byte: number) => boolean>> = {
  visible: (byte) => byte > 0x20 && byte < 0x7f,
  alphanumeric: isAlphanumeric,
  hex: (byte) => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66),
  base64: (byte) => isAlphanumeric(byte) || [0x2b, 0x2f, 0x2d, 0x5f, 0x3d].includes(byte),
  base64url: (byte) => isAlphanumeric(byte) || [0x2d, 0x5f].includes(byte),
};

const alphabetNames: Readonly<Record<Alphabet, string>> = {
  visible: 'visible ASCII',
  alphanumeric: 'a letter or digit',
  hex: 'a hexadecimal digit',
  base64: 'of base64',
  base64url: 'a letter, digit, "-" or "_"',
};

function isAlphanumeric(byte: number): boolean {
  return isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

function isQuote(byte: number): boolean {
  return byte === 0x22 || byte === 0x27 || byte === 0x60;
}

function startsWith(value: Uint8Array, prefix: string): boolean {
  return value.length >= prefix.length && [...prefix].every((character, at) => value[at] === character.charCodeAt(0));
}

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = wipeable(bytes.length);
  copy.set(bytes);
  return copy;
}

function or(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function titleOf({ title, name }: Kind): string {
  return title ?? name;
}

function unfit(why: string): Checked {
  return { status: 'unfit', why };
}
