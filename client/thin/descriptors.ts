import { writeSync } from 'node:fs';
import { KeyholdError } from '../../protocol/errors.ts';
import { REQUEST_MAX } from '../../protocol/limits.ts';

/** Writes all of `bytes`, also where the descriptor does not block. False if it could not; a reader that left is none. */
export function writeAll(fd: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') return code === 'EPIPE';
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return true;
}

/** Standard input to its end, in pieces that are the caller's to wipe. Throws `request_too_long` beyond 1 MiB. */
export async function readInput(): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of inputPieces()) {
    length += piece.length;
    if (length > REQUEST_MAX) {
      throw new KeyholdError('request_too_long', 'cannot ask the agent: the input is longer than 1 MiB');
    }
    pieces.push(piece);
  }
  return pieces;
}

/** Standard input as it comes. A descriptor that cannot be read is an empty one. */
export async function* inputPieces(): AsyncGenerator<Buffer> {
  try {
    yield* process.stdin as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof KeyholdError) throw error;
  }
}

/** One line for the human on standard error. */
export function say(line: string): void {
  writeAll(2, Buffer.from(`keyhold: ${line}\n`));
}
