import { decodeBase64 } from './base64.ts';

/** Bytes that a claim's text may have: an id is shown and logged. */
const CLAIM_MAX = 256;
const DOT = 0x2e;

/**
 * The named claims of a JWT (RFC 7519) that are texts or numbers. Undefined if it is none: not three parts of base64url,
 * or a header and claims that are no JSON objects. Nothing is verified: it says what the token says of itself. Of the
 * signature nothing is read; header and claims are no secret, and become text for this moment.
 */
export function claimsOf(
  token: Uint8Array,
  names: readonly string[],
): ReadonlyMap<string, string | number> | undefined {
  const first = token.indexOf(DOT);
  const second = token.indexOf(DOT, first + 1);
  if (first < 1 || second < 0 || token.indexOf(DOT, second + 1) >= 0 || second === token.length - 1) return undefined;
  if (!objectIn(token.subarray(0, first))) return undefined;
  const claims = objectIn(token.subarray(first + 1, second));
  if (!claims) return undefined;
  const found = new Map<string, string | number>();
  for (const name of names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof value === 'number' && Number.isFinite(value)) found.set(name, value);
    if (typeof value === 'string' && Buffer.byteLength(value) <= CLAIM_MAX) found.set(name, value);
  }
  return found;
}

function objectIn(part: Uint8Array): Record<string, unknown> | undefined {
  const bytes = decodeBase64(part);
  if (!bytes) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  } finally {
    bytes.fill(0);
  }
}
