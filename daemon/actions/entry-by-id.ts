import { KeyholdError } from '../../protocol/errors.ts';
import type { Entries, Entry } from '../credentials/unlocked/set.ts';

/** The held credential of that id. Throws `not_found`; `verb` is what cannot be done then. */
export function entryById(entries: Pick<Entries, 'byId'>, id: string | undefined, verb: string): Entry {
  const entry = id === undefined ? undefined : entries.byId(id);
  if (entry) return entry;
  throw notHeld(verb);
}

/** Why nothing can be done with an id. */
export function notHeld(verb: string): KeyholdError {
  return new KeyholdError('not_found', `cannot ${verb}: nothing with that id is held`);
}
