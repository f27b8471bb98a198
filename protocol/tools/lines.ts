import { Attributes, type ReadAttributes, readAttributes } from '../attributes.ts';
import { KeyholdError } from '../errors.ts';
import type { Invocation } from './adapter.ts';

const LF = 0x0a;
const EMPTY_LINE = Buffer.from('\n\n');

/**
 * The attributes on a helper's standard input: lines up to an empty line or the end. A last line without its LF was cut
 * off, and then nothing may be done, because half a host or half a secret is another one. PROTOCOL.md §2.5.
 */
export function readLines(invocation: Invocation): ReadAttributes {
  const bytes = invocation.input.all();
  const end = bytes[0] === LF ? 0 : bytes.indexOf(EMPTY_LINE) + 1 || bytes.length;
  if (end > 0 && bytes[end - 1] !== LF) {
    return {
      attributes: new Attributes(),
      fault: new KeyholdError('bad_request', 'cannot read the request: its last line is cut off'),
    };
  }
  return readAttributes(bytes, 0, end, invocation.keep);
}
