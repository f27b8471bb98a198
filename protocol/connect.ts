import type { Duplex } from 'node:stream';
import { readAttributes } from './attributes.ts';
import { decodeReply } from './decode.ts';
import { encodeRequest } from './encode.ts';
import { asFault, KeyholdError } from './errors.ts';
import type { CredentialReply, CredentialRequest, Handler } from './handler.ts';
import { REQUEST_MAX } from './limits.ts';
import { heapSecret, type SecretKeeper } from './secret.ts';
import { ByteWriter } from './writer.ts';

/** Bytes an answer may have: `list` of very many credentials is long, and still bounded. */
const REPLY_MAX = 64 * REQUEST_MAX;

type Waiting = {
  readonly request: CredentialRequest;
  readonly resolve: (reply: CredentialReply) => void;
  readonly reject: (error: Error) => void;
};

/**
 * Gets a handler back from a byte stream whose other end is served. Requests may be sent without waiting for each
 * other; answers come in order. It offers the capability `keyhold` with every request. When the stream ends or breaks,
 * what still waits fails with `closed`. The secrets of a reply are the caller's to dispose of.
 */
export function connect(stream: Duplex, keep: SecretKeeper = heapSecret): Handler {
  const waiting: Waiting[] = [];
  const out = new ByteWriter();
  let received: Buffer[] = [];
  let length = 0;
  let ended: KeyholdError | undefined;
  let asked = false;
  /** What an agent said that turned us away before we had asked: the answer to whatever we ask first. */
  let turnedAway: Buffer | undefined;

  const fail = (error: KeyholdError) => {
    ended ??= error;
    for (const { reject } of waiting.splice(0)) reject(ended);
    for (const piece of received.splice(0)) piece.fill(0);
    stream.destroy();
  };

  const takeOne = (bytes: Buffer, start: number, end: number) => {
    const { request, resolve, reject } = waiting.shift()!;
    const { attributes, fault } = readAttributes(bytes, start, end, keep, Number.POSITIVE_INFINITY);
    try {
      if (fault)
        throw new KeyholdError('bad_reply', 'cannot read the answer: its lines are not in order', { cause: fault });
      resolve(decodeReply(request, attributes));
    } catch (error) {
      attributes.dispose();
      reject(asFault(error));
    }
  };

  const take = () => {
    const bytes = received.length === 1 ? received[0]! : Buffer.concat(received);
    let start = 0;
    while (waiting.length > 0) {
      const end = bytes.indexOf('\n\n', start);
      if (end < 0) break;
      takeOne(bytes, start, end + 1);
      start = end + 2;
    }
    // Kept, it would be taken for the answer to the next request.
    if (asked && waiting.length === 0 && start < bytes.length) {
      bytes.fill(0);
      fail(new KeyholdError('bad_reply', 'cannot read the answer: more came than was asked for'));
      return;
    }
    const rest = start < bytes.length ? Buffer.from(new Uint8Array(bytes.subarray(start)).buffer) : undefined;
    for (const piece of received) piece.fill(0);
    bytes.fill(0);
    received = rest ? [rest] : [];
    length = rest?.length ?? 0;
  };

  stream.on('data', (bytes: Buffer) => {
    received.push(bytes);
    length += bytes.length;
    const tail = received.length > 1 ? received[received.length - 2]! : undefined;
    if (length > REPLY_MAX) fail(new KeyholdError('bad_reply', 'cannot read the answer: it has no end'));
    // An answer is taken when its last bytes come, not searched for again at every piece.
    else if (bytes.includes('\n\n') || (bytes[0] === 0x0a && tail?.at(-1) === 0x0a)) take();
  });
  stream.on('error', (error) =>
    fail(new KeyholdError('closed', 'cannot reach the agent: the connection broke', { cause: error })),
  );
  stream.on('close', () => fail(new KeyholdError('closed', 'cannot reach the agent: it closed the connection')));
  stream.on('end', () => {
    // The last answer before a close has no empty line behind it.
    const bytes = Buffer.concat(received);
    if (bytes.at(-1) === 0x0a && !asked) turnedAway = bytes;
    else {
      if (bytes.at(-1) === 0x0a && waiting.length > 0) takeOne(bytes, 0, bytes.length);
      bytes.fill(0);
    }
    fail(new KeyholdError('closed', 'cannot reach the agent: it closed the connection'));
  });

  return (request) =>
    new Promise((resolve, reject) => {
      asked = true;
      if (turnedAway) {
        waiting.push({ request, resolve, reject });
        takeOne(turnedAway, 0, turnedAway.indexOf('\n\n') + 1 || turnedAway.length);
        turnedAway = undefined;
        return;
      }
      if (ended) {
        reject(ended);
        return;
      }
      try {
        encodeRequest({ ...request, capabilities: { ...request.capabilities, keyhold: true } }, out);
      } catch (error) {
        reject(error);
        return;
      }
      waiting.push({ request, resolve, reject });
      // Not wiped afterwards: an in-process stream hands this very memory to its reader.
      stream.write(out.surrender());
      if (length > 0 && waiting.length === 1) take();
    });
}
