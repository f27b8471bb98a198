import { readFileSync, statSync } from 'node:fs';
import type { ContextSource } from '../../protocol/services/index.ts';

/** Bytes of a file that a project keeps its settings in. */
const FILE_MAX = 1_048_576;
/** Rows of a table of settings. */
const ROWS_MAX = 1_000;
/** Characters of a server's name with its port. */
const VALUE_MAX = 2_048;

type FileFormat = NonNullable<ContextSource['format']>;

/**
 * The text that a pointer finds in a file of settings; undefined where there is none, or the file cannot be read: what somebody
 * else wrote into a folder is no reason to fail.
 */
export function valueIn(file: string, format: FileFormat, pointer: string): string | undefined {
  try {
    if (format === 'sqlite') return textIn(rowIn(file, pointer));
    if (statSync(file).size > FILE_MAX) return undefined;
    const text = readFileSync(file, 'utf8');
    return textIn(format === 'json' ? memberOf(JSON.parse(text), pointer) : lineIn(text, pointer));
  } catch {
    return undefined;
  }
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= VALUE_MAX ? value : undefined;
}

/** RFC 6901. */
function memberOf(document: unknown, pointer: string): unknown {
  let at: unknown = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** `/TABLE/KEY`: a table of keys and values, the first column and the second. */
function rowIn(file: string, pointer: string): unknown {
  const [, table, key] = /^\/([A-Za-z_][A-Za-z0-9_]*)\/(.+)$/.exec(pointer) ?? [];
  if (table === undefined) return undefined;
  // Only where a manifest speaks of it: it costs the other commands nothing.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  using database = new DatabaseSync(file, { readOnly: true, allowExtension: false, timeout: 0 });
  const rows = database.prepare(`SELECT * FROM "${table}" LIMIT ${ROWS_MAX}`).all();
  const found = rows.map((row) => Object.values(row)).find(([name]) => name === key);
  return found?.[1];
}

/** `KEY: value` or `KEY = value` of YAML, TOML and INI at the outermost level, and below `[SECTION]` for `/SECTION/KEY`. */
function lineIn(text: string, pointer: string): string | undefined {
  const parts = pointer.split('/').slice(1);
  const key = parts.pop();
  const wanted = parts.join('.');
  let section = '';
  for (const line of text.split('\n')) {
    const heading = /^\[([^\]]+)\]\s*$/.exec(line);
    if (heading) section = heading[1]!.trim();
    const [, name, value] = /^([^\s:=#;[][^:=]*?)\s*[:=]\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === wanted && name === key) return /^(["']?)(.*)\1$/.exec(value!)?.[2];
  }
  return undefined;
}
