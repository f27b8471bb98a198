import { KeyholdError } from '../../protocol/errors.ts';
import type { Entries, Entry } from './unlocked/set.ts';

/** The held credential of an id, which a request names in its attribute `key`. Throws `not_found`; `verb` is what cannot be done then. */
export function entryById(entries: Pick<Entries, 'byId'>, id: string | undefined, verb: string, key = 'id'): Entry {
  const entry = id === undefined ? undefined : entries.byId(id);
  if (entry) return entry;
  throw notHeld(verb, key);
}

/** Why nothing can be done with an id. */
export function notHeld(verb: string, key = 'id'): KeyholdError {
  return new KeyholdError('not_found', `cannot ${verb}: nothing with that ${key} is held`);
}
