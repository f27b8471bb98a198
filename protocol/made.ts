import type { Attributes } from './attributes.ts';
import { KeyholdError } from './errors.ts';

/**
 * How a credential came to be held: the user signed in (`login`), a service made it on request (`created`), the user
 * gave it (`set`), it was taken from another program's file (`imported`), or a tool's helper stored it (`tool`).
 */
export const allMade = ['login', 'created', 'set', 'imported', 'tool'] as const;
export type Made = (typeof allMade)[number];

/** What a store says about it (`made=`); undefined if it says nothing. Throws `bad_request` for any other word. */
export function readMade(attributes: Attributes): Made | undefined {
  const text = attributes.text('made');
  if (text === undefined) return undefined;
  const made = allMade.find((one) => one === text);
  if (!made) throw new KeyholdError('bad_request', `cannot read made: it is none of ${allMade.join(', ')}`);
  return made;
}

/**
 * How a credential is held once a store has replaced it. A store that says nothing is a tool's, and a tool never
 * changes how the credential came to be held: git repeats a store after each success, and replaces a login's token in
 * its place. Of the same value the stronger statement stays: a login that is set by hand again is still a login.
 */
export function madeAfter(before: Made | undefined, said: Made | undefined, isSameValue: boolean): Made {
  const made = said ?? 'tool';
  if (before === undefined) return made;
  if (made === 'tool') return before;
  return isSameValue && allMade.indexOf(before) < allMade.indexOf(made) ? before : made;
}
