/** The part of JSON Schema (draft 2020-12) that the schema below uses and conform.ts understands. */
export type Schema = {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly $ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | Schema;
  readonly propertyNames?: Schema;
  readonly maxProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly Schema[];
};

/** Nothing that steers a terminal: no control, no bidi mark, no line separator. */
export const PLAIN =
  '^[^\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]+$';

/** One of `$defs`, with a description of its own. */
export const ref = (name: string, description?: string): Schema => ({
  $ref: `#/$defs/${name}`,
  ...(description === undefined ? {} : { description }),
});
/** One of some words. */
export const oneOf = (values: readonly string[], description: string): Schema => ({ enum: values, description });
/** A list of 1 to 50 items. */
export const list = (items: Schema, description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'array',
  items,
  minItems: 1,
  maxItems: 50,
  description,
  ...more,
});
/** An object of these fields and no others. */
export const record = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
  description: string,
): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  description,
});
export const yes = (description: string): Schema => ({ type: 'boolean', description });
/** A whole number within bounds. */
export const count = (minimum: number, maximum: number, description: string): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  description,
});
