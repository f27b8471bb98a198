import { X509Certificate } from 'node:crypto';
import type { EpochSeconds } from '../credential.ts';
import { asFault, KeyholdError } from '../errors.ts';
import type { Secret, SecretKeeper } from '../secret.ts';
import { ByteWriter, isControl } from '../writer.ts';

const LF = 0x0a;
const CR = 0x0d;
const BEGIN = Buffer.from('-----BEGIN ');
const END = Buffer.from('-----END ');
const DASHES = Buffer.from('-----');
/** Most blocks: a certificate, its chain and a key. */
const BLOCKS_MAX = 16;

type Block = { readonly label: string; readonly start: number; readonly end: number };

/**
 * A client certificate (with its chain) and its private key, in either order, as the JSON object that kubectl's status
 * has, and when the certificate ends. Throws `bad_request` where one of both is missing or there is anything that is no
 * PEM. The key is never text.
 */
export function readPemPair(bytes: Buffer, keep: SecretKeeper): { secret: Secret; expiresAt: EpochSeconds } {
  const blocks = blocksIn(bytes);
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE');
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (certificates.length === 0) throw unfit('there is no certificate in it');
  if (keys.length !== 1) throw unfit(`there ${keys.length === 0 ? 'is no key' : 'are several keys'} in it`);
  if (certificates.length + keys.length !== blocks.length) throw unfit('there is something else in it');
  const { start, end } = certificates[0]!;
  const expiresAt = endOf(bytes.subarray(start, end));
  const out = new ByteWriter();
  try {
    out.text('{"clientCertificateData":"');
    for (const block of certificates) writeBlock(bytes, block, out);
    out.text('","clientKeyData":"');
    for (const block of keys) writeBlock(bytes, block, out);
    out.text('"}');
    return { secret: keep(out.view()), expiresAt };
  } finally {
    out.truncate();
  }
}

function blocksIn(bytes: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = bytes.indexOf(BEGIN); at >= 0; at = bytes.indexOf(BEGIN, blocks.at(-1)!.end)) {
    const labelEnd = bytes.indexOf(DASHES, at + BEGIN.length);
    const label = bytes.toString('latin1', at + BEGIN.length, labelEnd);
    const close = labelEnd < 0 || label.length > 64 ? -1 : bytes.indexOf(`${END}${label}${DASHES}`, labelEnd, 'latin1');
    if (close < 0 || blocks.length === BLOCKS_MAX) throw unfit('it is no PEM, or too much of it');
    blocks.push({ label, start: at, end: close + END.length + label.length + DASHES.length });
  }
  return blocks;
}

/** The lines of a block, each with `\n` behind it in the place of its own line's end. */
function writeBlock(bytes: Buffer, { start, end }: Block, out: ByteWriter): void {
  for (let at = start; at < end; ) {
    const lf = bytes.indexOf(LF, at);
    const to = lf < 0 || lf > end ? end : lf;
    const line = bytes.subarray(at, to > at && bytes[to - 1] === CR ? to - 1 : to);
    if (line.some((byte) => isControl(byte) || byte > 0x7f || byte === 0x22 || byte === 0x5c)) {
      throw unfit('a line of it is none of PEM');
    }
    out.bytes(line);
    out.text('\\n');
    at = to + 1;
  }
}

function endOf(certificate: Buffer): EpochSeconds {
  try {
    const seconds = Date.parse(new X509Certificate(certificate).validTo) / 1_000;
    if (Number.isFinite(seconds)) return Math.floor(seconds);
  } catch (error) {
    asFault(error);
  }
  throw unfit('its certificate cannot be read');
}

function unfit(rule: string): KeyholdError {
  return new KeyholdError('bad_request', `cannot take the certificate and key: ${rule}; give both as PEM`);
}
