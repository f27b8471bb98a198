import type { Call, Field } from './manifest.ts';

/** What an answer tells, by our names, without what it does not tell. */
export type Read = { readonly [Name in Field]?: unknown };

/** Items of a list that are looked at: more are no list of one person's tokens. */
const ITEMS_MAX = 10_000;

/**
 * What a call's field map finds in the JSON that the service answered. `value` and `refreshToken` may be among it, and are
 * secrets: whoever reads an answer that has them hands them on as such.
 */
export function fieldsIn({ fields = {} }: Pick<Call, 'fields'>, answer: unknown): Read {
  const found: Record<string, unknown> = {};
  for (const [name, pointers] of Object.entries(fields)) {
    const values = pointersOf(pointers).map((pointer) => at(answer, pointer));
    const value = values.find((one) => one !== undefined && one !== null);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/**
 * The same for each item of a list; undefined if the answer has no list where the manifest says it has. What leaks is
 * not among it: no value is read from a list, whatever its field map says.
 */
export function itemsIn(call: Pick<Call, 'items' | 'fields' | 'leaks'>, answer: unknown): Read[] | undefined {
  const items = at(answer, call.items ?? '');
  if (!Array.isArray(items)) return undefined;
  const { value: _, refreshToken: __, ...fields } = call.fields ?? {};
  const leaks = new Set(call.leaks);
  const isShown = (pointers: string | readonly string[]) => !pointersOf(pointers).some((one) => leaks.has(one));
  const shown = Object.fromEntries(Object.entries(fields).filter(([, pointers]) => isShown(pointers)));
  return items.slice(0, ITEMS_MAX).map((item) => fieldsIn({ ...call, fields: shown }, item));
}

function pointersOf(pointers: string | readonly string[]): readonly string[] {
  return typeof pointers === 'string' ? [pointers] : pointers;
}

/** The part of a document that a JSON pointer (RFC 6901) leads to; undefined where it leads nowhere. */
function at(document: unknown, pointer: string): unknown {
  let part = document;
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as Record<string, unknown>)[key];
  }
  return part;
}
