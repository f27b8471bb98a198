/** A part of JSON Schema (2020-12) that says of which TypeScript type its values are. */
export type Schema<T = unknown> = { readonly [keyword: string]: unknown } & { readonly __type?: T };
/** What a schema's values are. */
export type Of<S> = S extends Schema<infer T> ? T : never;

type Optional<T> = Schema<T> & { readonly optional: true };
type Properties = Readonly<Record<string, Schema | Optional<unknown>>>;
type Required<P> = { [K in keyof P as P[K] extends { readonly optional: true } ? never : K]: Of<P[K]> };
type Possible<P> = { [K in keyof P as P[K] extends { readonly optional: true } ? K : never]?: Of<P[K]> | undefined };
type ObjectOf<P> = Required<P> & Possible<P>;

export function text(description: string, more: object = {}): Schema<string> {
  return { type: 'string', description, ...more };
}

export function whole(description: string): Schema<number> {
  return { type: 'integer', minimum: 0, description };
}

export function bool(description: string): Schema<boolean> {
  return { type: 'boolean', description };
}

export function listOf<T>(items: Schema<T>, description: string): Schema<readonly T[]> {
  return { type: 'array', items, description };
}

/** Values by names that are not known beforehand. */
export function mapOf<T>(values: Schema<T>, description: string): Schema<Readonly<Record<string, T>>> {
  return { type: 'object', additionalProperties: values, description };
}

/** Marks a property that may be absent. */
export function maybe<T>(schema: Schema<T>): Optional<T> {
  return { ...schema, optional: true } as Optional<T>;
}

/** An object with these properties. In an answer no other is written; in a question no other is taken. */
export function object<P extends Properties>(properties: P): Schema<ObjectOf<P>> {
  const entries = Object.entries(properties);
  const required = entries.filter(([, schema]) => schema['optional'] !== true).map(([name]) => name);
  const plain = entries.map(([name, { optional: _, ...schema }]) => [name, schema] as const);
  return {
    type: 'object',
    properties: Object.fromEntries(plain),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}
