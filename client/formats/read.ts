import type { CredentialFile } from '../../protocol/services/index.ts';
import { readIni, readNpmrc } from './ini.ts';
import { readJson } from './json.ts';
import type { Leaf, Read } from './leaf.ts';
import { readLines } from './lines.ts';
import { readNetrc } from './netrc.ts';
import { readToml } from './toml.ts';
import { readYaml } from './yaml.ts';

/** Of `lines` each is a value of its own. */
export type Format = Exclude<CredentialFile['format'], 'binary'> | 'lines';

/** The reader of each format, of latin1 text (leaf.ts). YAML's loads its library when it is first used. */
const readers: Readonly<Record<Format, (text: string) => Read | Promise<Read>>> = {
  ini: readIni,
  json: readJson,
  lines: readLines,
  netrc: readNetrc,
  npmrc: readNpmrc,
  toml: readToml,
  yaml: readYaml,
};

/** The values in a file's bytes. */
export async function readLeaves(format: Format, bytes: Uint8Array): Promise<Read> {
  return readers[format](Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
}

/** What a manifest's pointer leads to (RFC 6901; `*` is every member). */
export function pick(leaves: readonly Leaf[], pointer: string): Leaf[] {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return leaves.filter(
    ({ path }) => path.length === names.length && names.every((name, at) => name === '*' || name === path[at]),
  );
}
