import { KeyholdError } from './errors.ts';
import { LINE_MAX, LINES_MAX, REQUEST_MAX } from './limits.ts';

const LF = 0x0a;

/**
 * Finds the end of a request whose bytes come in pieces. No byte is looked at twice, and a limit that is passed is
 * noticed at the same byte however the pieces fall. PROTOCOL.md §2.2, §2.4.
 */
export class Framing {
  // All three are of the request that has begun, as offsets from its first byte.
  #line = 0;
  #searched = 0;
  #lines = 0;

  /**
   * Offset of the empty line's LF that ends the request at `start`; `start` itself where that line is empty; -1 while
   * the end has not come. Call it again with the same request and more bytes behind it. Throws `line_too_long` and
   * `request_too_long`; the request cannot be read any further then.
   */
  end(bytes: Buffer, start: number): number {
    let line = start + this.#line;
    let from = start + this.#searched;
    for (;;) {
      const lf = bytes.indexOf(LF, from);
      if (lf === line) {
        this.reset();
        return lf;
      }
      const lineEnd = lf < 0 ? bytes.length : lf;
      if (lineEnd > line) refuseLong(start, line, lineEnd);
      if (lf < 0) {
        this.#line = line - start;
        this.#searched = bytes.length - start;
        return -1;
      }
      if (++this.#lines > LINES_MAX) {
        throw new KeyholdError('request_too_long', `cannot read the request: it has more than ${LINES_MAX} lines`);
      }
      line = from = lf + 1;
    }
  }

  /** Forgets the request that has begun. */
  reset(): void {
    this.#line = this.#searched = this.#lines = 0;
  }
}

/** Of the two limits, the one that was passed first. */
function refuseLong(start: number, line: number, lineEnd: number): void {
  const lineOver = line + LINE_MAX;
  const requestOver = start + REQUEST_MAX;
  if (lineEnd < lineOver && lineEnd < requestOver) return;
  if (lineOver <= requestOver) {
    throw new KeyholdError('line_too_long', `cannot read the request: a line is longer than ${LINE_MAX} bytes`);
  }
  throw new KeyholdError('request_too_long', `cannot read the request: it is longer than ${REQUEST_MAX} bytes`);
}
