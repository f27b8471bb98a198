import { placeAtRest, type Target } from '../../protocol/credential.ts';
import type { Held } from './backend.ts';

/** A front's own value as it is written: under its place at rest, with the target that it is for. */
type FrontRecord = Held & { readonly of: Target };

/**
 * What is written of a credential, wherever its description rests. A front's own value looks like a record of our own, so
 * that version 0.1 neither serves it nor takes it for the other value of the same target.
 */
export function recordOf(held: Held): Held {
  if (held.front === undefined) return held;
  const { protocol, host, path, username } = held;
  const record: FrontRecord = { ...held, ...placeAtRest(held), of: { protocol, host, path, username } };
  return record;
}

/** A credential back from what was written. */
export function heldIn(record: Held): Held {
  if (record.front === undefined) return record;
  const { of, ...held } = record as FrontRecord;
  const { protocol, host, path, username } = of;
  return { ...held, protocol, host, path, username };
}
