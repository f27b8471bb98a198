import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** Files of one pattern that are looked at: profiles, of which people have a few. */
const FILES_MAX = 32;

/** The paths that a manifest's pattern means here: `~/…`, `{config}`, and `{profile}` for whatever stands in its place. */
export function pathsOf(pattern: string, environment: Readonly<Record<string, string | undefined>>): string[] {
  const home = environment['HOME'] ?? homedir();
  const config = environment['XDG_CONFIG_HOME'] || join(home, '.config');
  const full = pattern.replace(/^~(?=\/)/, home).replace('{config}', config);
  if (!full.startsWith('/')) return [];
  if (!full.includes('{profile}')) return [full];
  const [before = '', behind = ''] = basename(full).split('{profile}');
  if (!basename(full).includes('{profile}')) return [];
  try {
    return readdirSync(dirname(full))
      .filter((name) => name.startsWith(before) && name.endsWith(behind) && name.length > before.length + behind.length)
      .slice(0, FILES_MAX)
      .map((name) => join(dirname(full), name));
  } catch {
    return [];
  }
}
