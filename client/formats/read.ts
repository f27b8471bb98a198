import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import type { CredentialFile } from '../../protocol/services/index.ts';
import { readIni } from './ini.ts';
import { readJson } from './json.ts';
import { type Leaf, lineAt, type Read } from './leaf.ts';
import { readNetrc } from './netrc.ts';
import { readToml } from './toml.ts';
import { readYaml } from './yaml.ts';

/** Of `lines` each is a value of its own. */
export type Format = Exclude<CredentialFile['format'], 'binary'> | 'lines';

/** Bytes of a file that are read: kubeconfigs with a hundred clusters have some 300 KiB. */
export const FILE_MAX = 4 << 20;

/** A file as it was read, or why it was not. Nothing is said of what is not there. */
export type Opened =
  | { readonly status: 'ok'; readonly bytes: Buffer; readonly stats: Stats }
  | { readonly status: 'absent' }
  | { readonly status: 'unreadable'; readonly why: string };

/** Reads a plain file; a pipe or a device would hang or never end. */
export function openFile(path: string): Opened {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { status: 'absent' }
      : { status: 'unreadable', why: `it cannot be read (${code})` };
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return { status: 'unreadable', why: 'it is no plain file' };
    if (stats.size > FILE_MAX) return { status: 'unreadable', why: `it is longer than ${FILE_MAX >> 20} MiB` };
    const room = Buffer.alloc(stats.size);
    let length = 0;
    for (let more = 1; more > 0 && length < room.length; length += more)
      more = readSync(descriptor, room, length, room.length - length, length);
    return { status: 'ok', bytes: room.subarray(0, length), stats };
  } finally {
    closeSync(descriptor);
  }
}

/** The values in a file's bytes. Pure, but that YAML's reader is loaded when it is needed. */
export async function readLeaves(format: Format, bytes: Uint8Array): Promise<Read> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  switch (format) {
    case 'lines':
      return { status: 'ok', leaves: linesOf(text) };
    case 'json':
      return readJson(text);
    case 'yaml':
      return readYaml(text);
    case 'toml':
      return readToml(text);
    case 'netrc':
      return readNetrc(text);
    case 'npmrc':
      return readIni(text, { separators: '=', continued: false });
    case 'ini':
      return readIni(text, { separators: '=:', continued: true });
  }
}

function linesOf(text: string): Leaf[] {
  const leaves: Leaf[] = [];
  for (let at = 0; at < text.length; at = lineAt(text, at).end) {
    const span = lineAt(text, at);
    const value = text.slice(span.start, span.end).replace(/\r?\n$/, '');
    if (value !== '') leaves.push({ path: [String(leaves.length)], value, cuts: [span] });
  }
  return leaves;
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
