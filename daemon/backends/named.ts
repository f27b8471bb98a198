import { documentLine } from '../../protocol/document-line.ts';
import type { Detail } from '../../protocol/handler.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Held } from './backend.ts';

/** Credentials that one answer names at most: how many others there are it says by their number. */
export const NAMED_MAX = 1_000;

/** What people know a credential by. */
export function placeOf({ id, protocol, host, path, username, about }: Held): Record<string, unknown> {
  const text = (value: string | undefined) => (value === undefined ? undefined : fromWire(value));
  return { id, protocol, host, path: text(path), username: text(username), label: about?.label };
}

/** A line for each, with what else is to be said of it. */
export function named(
  key: `${string}[]`,
  all: readonly Held[],
  more: Readonly<Record<string, unknown>> = {},
): Detail[] {
  return all.map((held) => [key, documentLine({ ...placeOf(held), ...more })]);
}
