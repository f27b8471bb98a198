import { documentLine } from '../../protocol/document-line.ts';
import type { Detail } from '../../protocol/handler.ts';
import { toWire } from '../../protocol/text.ts';

/** A document of an answer. */
export function item(document: object): Detail {
  return ['item[]', documentLine(document)];
}

/** One text of an answer; none where it is undefined. */
export function told(key: string, value: string | number | undefined): Detail[] {
  return value === undefined ? [] : [[key, toWire(String(value))]];
}
