import { KeyholdError } from './errors.ts';

/**
 * The helper protocols that can list what they hold. Such a protocol is a front: its clients may send everything that it
 * lists anywhere and erase it all, so it lists only the credentials that came in through it or were given to it
 * (DESIGN.md §2). A name here is the name of an adapter in tools/.
 */
export const frontNames: readonly string[] = ['docker'];

/** The front that a tool's helper is; undefined for every other tool. */
export function frontOf(tool: string | undefined): string | undefined {
  return tool !== undefined && frontNames.includes(tool) ? tool : undefined;
}

/** The front that a request names (`front=`); undefined if it names none. Throws `bad_request` for what is no front. */
export function readFront(name: string | undefined): string | undefined {
  if (name === undefined || frontNames.includes(name)) return name;
  throw new KeyholdError('bad_request', `cannot read front: it is none of ${frontNames.join(', ')}`);
}
