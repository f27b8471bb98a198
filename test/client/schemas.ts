import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { Ended } from './keyhold.ts';

const FOLDER = join(import.meta.dirname, '../../docs/schemas');

/** Commands that print one document a line, and those among them that print nothing else without --json. */
const ofLines: ReadonlySet<string> = new Set(['watch', 'logs', 'audit export']);
const always: ReadonlySet<string> = new Set(['audit export']);

/** As much of a JSON Schema as is looked at here. */
export type Schema = {
  readonly type?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly [keyword: string]: unknown;
};

/** Every file of docs/schemas, by its name. */
export const schemas: ReadonlyMap<string, Schema> = new Map(
  readdirSync(FOLDER).map((file) => [file, JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Schema]),
);

// What is required may stand behind a $ref, which strictRequired does not follow.
const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });
for (const [file, schema] of schemas) ajv.addSchema(schema, file);

/**
 * The schema of what a command prints with --json, by the command's words: `token.json#/$defs/list`, `status.json`; undefined
 * where there is none.
 */
export function schemaOf([noun = '', verb = '']: readonly string[]): string | undefined {
  const file = `${noun}.json`;
  const schema = schemas.get(file);
  if (Object.hasOwn(schema?.$defs ?? {}, verb)) return `${file}#/$defs/${verb}`;
  return schema?.type === undefined ? undefined : file;
}

/** Compiles a schema and what it refers to. Throws where it is none that Ajv takes in strict mode. */
export function validatorOf(schema: string) {
  return ajv.getSchema(schema)!;
}

/** Gives back how a run of `keyhold` ended. Throws where it was asked for JSON and did not print what docs/schemas says. */
export function checked(args: readonly string[], ended: Ended): Ended {
  const ours = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const command = ours.slice(0, 2).join(' ');
  const isAsked = ours.includes('--json') || always.has(command);
  // What exec becomes prints what it likes; who was killed may have said half a word.
  const isAnother = ours[0] === 'exec' && !ours.includes('--dry-run');
  if (!isAsked || isAnother || ended.code === null || ended.stdout === '') return ended;
  const isOfLines = ofLines.has(ours[0]!) || ofLines.has(command);
  const texts = isOfLines ? ended.stdout.trimEnd().split('\n') : [ended.stdout];
  for (const text of texts) {
    const why = whyUnfit(text, schemaOf(ours), ended.code !== 0);
    if (why !== undefined) throw new Error(`keyhold ${args.join(' ')}: ${why}`);
  }
  return ended;
}

function whyUnfit(text: string, schema: string | undefined, hasFailed: boolean): string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return 'standard output is no JSON';
  }
  if (hasFailed && validatorOf('error.json')(document)) return undefined;
  if (schema === undefined) return 'docs/schemas has no schema for it';
  const isFit = validatorOf(schema);
  if (isFit(document)) return undefined;
  return `what it prints does not fit docs/schemas/${schema}: ${isFit.errors!.map(inWords).join('; ')}`;
}

function inWords({ instancePath, message, params }: ErrorObject): string {
  const name = params['additionalProperty'] ?? params['unevaluatedProperty'];
  return `${instancePath || 'it'} ${message}${name === undefined ? '' : `, and has ${name}`}`;
}
