import { manifestSchema, type Schema } from '../../../protocol/services/index.ts';

/** The rows of docs/services.md's tables, one for each field of the schema: `| \`hosts[].host\` | text | What it is. |`. */
export function fieldRows(): string[] {
  return rows(manifestSchema, '');
}

function rows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, given]) => {
    const inner = resolve(given);
    const isOperation = given.$ref === '#/$defs/operation';
    const item = inner.items && resolve(inner.items);
    const path = `${prefix}${name}${item?.properties ? '[]' : ''}`;
    const must = schema.required?.includes(name) ? ', needed' : '';
    const row = `| \`${path}\` | ${isOperation ? 'a call' : shapeOf(inner)}${must} | ${words(given.description ?? inner.description ?? '')} |`;
    if (isOperation) return [row];
    return [row, ...rows(item?.properties ? item : inner, `${path}.`)];
  });
}

/** The rows of a call, which every operation of `rest` takes. */
export function callRows(): string[] {
  return rows(manifestSchema.$defs!['operation']!.anyOf![1]!, 'rest.CALL.');
}

function resolve(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : manifestSchema.$defs![schema.$ref.slice('#/$defs/'.length)]!;
}

function shapeOf(schema: Schema): string {
  if (schema.enum) return words(schema.enum.map((value) => `\`${value}\``).join(', '));
  if (schema.anyOf) return 'number, `any`';
  if (schema.type === 'array') {
    const item = resolve(schema.items!);
    return item.properties ? 'list' : `list of ${shapeOf(item)}`;
  }
  if (schema.type === 'object') return schema.properties ? 'object' : 'names and values';
  return { string: 'text', integer: 'number', boolean: 'true, false' }[schema.type as 'string'] ?? '';
}

function words(text: string): string {
  return text.replaceAll('|', '\\|');
}
