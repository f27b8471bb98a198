import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Manifest, secretVariables, winnerOf } from '../../protocol/services/index.ts';

/** Something of a service's own from which its program could take a token in place of ours. */
export type Shadow = {
  readonly source: 'environment' | 'file';
  /** In words: a name or a path, never a value. */
  readonly what: string;
  /** Whether it is what the service's program takes, as things stand. */
  readonly wins: boolean;
};

/** What of a service's own stands around: its variables that are set, and its files that are there. */
export function shadowsOf(manifest: Manifest, environment: Readonly<NodeJS.ProcessEnv>): Shadow[] {
  const variables = secretVariables(manifest).filter((name) => environment[name]);
  const files = (manifest.files ?? [])
    .map(({ path }) => pathOf(path, environment))
    .filter((path) => path && existsSync(path));
  const winner = winnerOf(manifest, [
    ...(variables.length > 0 ? (['environment'] as const) : []),
    ...(files.length > 0 ? (['file'] as const) : []),
  ]);
  return [
    ...variables.map((name, at) => ({
      source: 'environment' as const,
      what: `the variable ${name}`,
      wins: winner === 'environment' && at === 0,
    })),
    ...files.map((path) => ({ source: 'file' as const, what: `the file ${path}`, wins: winner === 'file' })),
  ];
}

/** Undefined where the path depends on what is not known here. */
function pathOf(path: string, environment: Readonly<NodeJS.ProcessEnv>): string | undefined {
  const home = environment['HOME'] ?? homedir();
  const config = environment['XDG_CONFIG_HOME'] || `${home}/.config`;
  const full = path.replace(/^~(?=\/)/, home).replace('{config}', config);
  return /[{}]/.test(full) || !full.startsWith('/') ? undefined : full;
}
