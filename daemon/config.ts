import { readFileSync } from 'node:fs';
import { type Config, readConfig } from '../protocol/config.ts';
import { asFault } from '../protocol/errors.ts';
import type { Degradation } from './backends/backend.ts';

/** Most bytes of a configuration that a person would write. */
const FILE_MAX = 65_536;

/**
 * The configuration that `keyhold config set` writes, read without its library. A file that cannot be read does not
 * stop the agent: it starts with the defaults, and `status` names the fault.
 */
export function loadConfig(file: string): { readonly config: Config; readonly degradations: readonly Degradation[] } {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > FILE_MAX) return unread(file, 'it is too long to be one');
    return { config: readConfig(parse(text)), degradations: [] };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { config: readConfig({}), degradations: [] };
    return unread(file, asFault(error).message);
  }
}

/** node's own message would quote the file. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unread(file: string, why: string) {
  const degradation = { code: 'bad-config', what: `${file} is not in use: ${why}`, remedy: 'run: keyhold config list' };
  return { config: readConfig({}), degradations: [degradation] };
}
