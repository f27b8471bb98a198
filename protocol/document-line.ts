import { LINE_MAX } from './limits.ts';
import { toWire } from './text.ts';

/** Bytes of a line that are left for its key and its LF. */
const KEY_ROOM = 64;
/** Characters that are left of a text in a document that would not fit a line. */
const CUT_AT = 512;

/** A document as one value of the wire. Where it would not fit a line, its long texts are cut and end in `…`. */
export function documentLine(document: object): string {
  const line = toWire(JSON.stringify(document));
  return line.length <= LINE_MAX - KEY_ROOM ? line : toWire(JSON.stringify(cutTexts(document)));
}

function cutTexts(document: object): object {
  const isLong = (value: unknown) => typeof value === 'string' && value.length > CUT_AT;
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => [name, isLong(value) ? `${value.slice(0, CUT_AT)}…` : value]),
  );
}
