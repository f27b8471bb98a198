import type { Schema } from './schema-terms.ts';

/** Something wrong with a document: where, as keys and indexes from its root, and the rule in words. */
export type Problem = { readonly path: readonly (string | number)[]; readonly rule: string };

/** Problems that are told at most: more are noise. */
export const PROBLEMS_MAX = 50;

/** What of `document` does not conform to `schema`; empty if all does. test/protocol/services holds it against ajv. */
export function conform(document: unknown, schema: Schema): Problem[] {
  return check(document, schema, [], schema).slice(0, PROBLEMS_MAX);
}

type Path = readonly (string | number)[];

function check(value: unknown, given: Schema, path: Path, root: Schema): Problem[] {
  const schema = resolve(given, root);
  if (schema.anyOf) return checkAny(value, schema, path, root);
  if (schema.enum) {
    const known = typeof value === 'string' && schema.enum.includes(value);
    return known ? [] : [{ path, rule: `must be ${orList(schema.enum)}` }];
  }
  if (schema.type === 'object') return checkObject(value, schema, path, root);
  if (schema.type === 'array') return checkArray(value, schema, path, root);
  const rule = whyNot(value, schema);
  return rule === undefined ? [] : [{ path, rule }];
}

function resolve(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.slice('#/$defs/'.length);
  return name === undefined ? schema : root.$defs![name]!;
}

/** The problems of the alternative that comes nearest: the one with the fewest. */
function checkAny(value: unknown, { anyOf = [], description }: Schema, path: Path, root: Schema): Problem[] {
  const tries = anyOf.map((one) => check(value, one, path, root)).sort((a, b) => a.length - b.length);
  const [nearest = []] = tries;
  if (nearest.length === 0) return [];
  // What is no object fits none of several objects: then the whole says it better than one of them.
  const isWhole = nearest.every((problem) => problem.path.length === path.length);
  return isWhole && description !== undefined && !isRecord(value) ? [{ path, rule: formOf(description) }] : nearest;
}

function checkObject(value: unknown, schema: Schema, path: Path, root: Schema): Problem[] {
  if (!isRecord(value)) return [{ path, rule: 'must be an object (lines of `name: value`)' }];
  const { properties = {}, required = [], additionalProperties = false, propertyNames, maxProperties } = schema;
  const problems: Problem[] = [];
  for (const key of required) {
    if (!Object.hasOwn(value, key)) problems.push({ path, rule: `lacks the field "${key}"` });
  }
  const keys = Object.keys(value);
  if (maxProperties !== undefined && keys.length > maxProperties) {
    problems.push({ path, rule: `must have at most ${maxProperties} fields` });
  }
  for (const key of keys) {
    const inner = Object.hasOwn(properties, key) ? properties[key] : undefined;
    const at = [...path, key];
    if (inner) problems.push(...check(value[key], inner, at, root));
    else if (additionalProperties === false) {
      problems.push({ path: at, rule: `is no field that is known here${suggestion(key, Object.keys(properties))}` });
    } else {
      if (propertyNames) {
        const wrong = check(key, propertyNames, at, root).map(({ rule }) => ({
          path: at,
          rule: `is a name that ${rule}`,
        }));
        problems.push(...wrong);
      }
      problems.push(...check(value[key], additionalProperties, at, root));
    }
  }
  return problems;
}

function checkArray(value: unknown, schema: Schema, path: Path, root: Schema): Problem[] {
  if (!Array.isArray(value)) return [{ path, rule: 'must be a list (lines that begin with "-")' }];
  const { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems } = schema;
  if (value.length < minItems) return [{ path, rule: 'must not be empty' }];
  if (value.length > maxItems) return [{ path, rule: `must have at most ${maxItems} items` }];
  const problems = value.flatMap((item, index) => check(item, items, [...path, index], root));
  const repeated = uniqueItems ? value.findIndex((item, index) => value.indexOf(item) < index) : -1;
  return repeated < 0 ? problems : [...problems, { path: [...path, repeated], rule: 'stands there twice' }];
}

function whyNot(value: unknown, schema: Schema): string | undefined {
  const { type, pattern, minLength = 0, maxLength, minimum, maximum, description } = schema;
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? undefined : 'must be a number';
    case 'integer': {
      const fits = Number.isInteger(value) && !((value as number) < minimum! || (value as number) > maximum!);
      const range = minimum === undefined || maximum === undefined ? '' : ` from ${minimum} to ${maximum}`;
      return fits ? undefined : `must be a whole number${range}`;
    }
    case 'string': {
      if (typeof value !== 'string') return 'must be text (put it in quotes)';
      const length = [...value].length;
      if (length < minLength) return 'must not be empty';
      if (maxLength !== undefined && length > maxLength) return `must have at most ${maxLength} characters`;
      if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) return formOf(description);
      return undefined;
    }
    default:
      return undefined;
  }
}

/** Descriptions of forms say what a value is ("a duration such as 90d"); those of fields say what it is for. */
function formOf(description: string | undefined): string {
  if (description === undefined) return 'does not have the right form';
  return /^(?:an?|one|text) /.test(description)
    ? `must be ${description}`
    : `does not have the right form. ${description}`;
}

function suggestion(key: string, known: readonly string[]): string {
  const near = known.find((name) => distance(key.toLowerCase(), name.toLowerCase()) <= 2);
  return near === undefined ? '' : `; do you mean "${near}"?`;
}

/** Letters to change, add or leave out until one word is the other, of words of at most 64 letters. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2 || one.length > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const swap = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
