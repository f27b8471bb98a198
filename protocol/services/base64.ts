import { wipeable } from '../secret.ts';

/**
 * Decodes base64 of either alphabet (`+/` or `-_`, not both in one), with or without padding, bytes to bytes, so that a
 * secret is never a string. Undefined for whatever else: a length that cannot be, stray bits at the end, padding in the
 * middle. The result is the caller's to wipe.
 */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  const length = text.length - paddingOf(text);
  if (length % 4 === 1 || (length < text.length && text.length % 4 !== 0)) return undefined;
  const bytes = wipeable(Math.floor((length * 3) / 4));
  let [bits, count, at] = [0, 0, 0];
  let [standard, url] = [false, false];
  for (let index = 0; index < length; index++) {
    const byte = text[index]!;
    const digit = digitOf(byte);
    standard ||= byte === 0x2b || byte === 0x2f;
    url ||= byte === 0x2d || byte === 0x5f;
    if (digit < 0 || (standard && url)) {
      bytes.fill(0);
      return undefined;
    }
    bits = ((bits << 6) | digit) & 0xfff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = (bits >> count) & 0xff;
    }
  }
  if ((bits & ((1 << count) - 1)) !== 0) {
    bytes.fill(0);
    return undefined;
  }
  return bytes;
}

function paddingOf(text: Uint8Array): number {
  const isPad = (back: number) => text.at(-back) === 0x3d;
  return isPad(1) ? (isPad(2) ? 2 : 1) : 0;
}

function digitOf(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41;
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52;
  if (byte === 0x2b || byte === 0x2d) return 62;
  return byte === 0x2f || byte === 0x5f ? 63 : -1;
}
