import { createCipheriv, randomBytes } from 'node:crypto';
import { openSealed } from '../open-sealed.ts';

/**
 * How the agent and its children talk: frames of four length bytes (little-endian) and a list of parts, each with four
 * length bytes before it. A child begins with a frame when it is up, which says how its memory is protected. A request is `[operation, reply key, …]`; a
 * reply is one list of parts, sealed with AES-256-GCM under the request's reply key, so that no plaintext of it ever lies
 * in the stream's buffers.
 */

/** Longest frame: the longest secret with room for its names. Children that bring more say so themselves. */
export const FRAME_MAX = 131_072;
export const REPLY_KEY_LENGTH = 32;

const IV_LENGTH = 12;
const TAG_LENGTH = 16;

/** One frame of parts, in memory of its own, for the caller to wipe. */
export function frame(parts: readonly Uint8Array[]): Buffer {
  const body = parts.reduce((sum, part) => sum + 4 + part.length, 0);
  const bytes = Buffer.from(new ArrayBuffer(4 + body));
  bytes.writeUInt32LE(body);
  let at = 4;
  for (const part of parts) {
    bytes.writeUInt32LE(part.length, at);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

/** The parts of a frame's body: views of it, not copies. Throws a RangeError when they do not fill it exactly. */
export function partsOf(body: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 4 + body.readUInt32LE(at);
    if (end > body.length) throw new RangeError('cannot read a frame: a part ends past it');
    parts.push(body.subarray(at + 4, end));
    at = end;
  }
  return parts;
}

/** Yields each whole frame's body of `input`, and answers what is left. Throws a RangeError at one longer than `max`. */
export function* framesOf(input: Buffer, max = FRAME_MAX): Generator<Buffer, Buffer> {
  let rest = input;
  while (rest.length >= 4) {
    const size = 4 + rest.readUInt32LE(0);
    if (size > max) throw new RangeError('cannot read a frame: it is too long');
    if (rest.length < size) break;
    yield rest.subarray(4, size);
    rest = rest.subarray(size);
  }
  return rest;
}

/** Seals a reply's parts as a frame. */
export function sealReply(key: Uint8Array, parts: readonly Uint8Array[]): Buffer {
  const plain = frame(parts);
  const iv = randomBytes(IV_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  return frame([iv, sealed, cipher.getAuthTag()]);
}

/** Opens a sealed reply. The parts are views of one buffer, for the caller to wipe. Throws when the seal is broken. */
export function openReply(key: Uint8Array, body: Buffer): readonly Buffer[] {
  const [iv, sealed, tag] = partsOf(body);
  if (iv?.length !== IV_LENGTH || sealed === undefined || tag?.length !== TAG_LENGTH) {
    throw new RangeError('cannot open a reply: its parts are not those of a seal');
  }
  const plain = openSealed({ key, iv, bytes: sealed, tag });
  if (!plain) throw new RangeError('cannot open a reply: its seal is broken');
  return partsOf(Buffer.from(plain.buffer).subarray(4));
}
