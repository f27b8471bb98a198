import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../cli/failure.ts';
import type { Edit } from '../formats/edit.ts';
import { readIfThere } from '../install/files.ts';
import type { Ground } from '../install/ground.ts';
import { onPath } from './on-path.ts';
import { byProfile, type SetupTool } from './tool.ts';

/** What our provider is called in cargo's files: a path with a blank in it has no other way in. */
const ALIAS = 'keyhold';

/** cargo: keyhold for every registry (`global-credential-providers`), or for one. */
export const cargo: SetupTool = {
  name: 'cargo',
  summary: 'cargo login, fetch, publish and yank use the tokens in keyhold',
  gain: 'no token in credentials.toml in plain text, and registries that need one to read',
  account: byProfile,
  options: [{ flags: '--registry <name>', summary: 'for this registry of your config.toml only' }],
  detect: (ground) => onPath(ground, 'cargo'),
  plan(ground, { option, program }) {
    const folder = cargoHome(ground);
    const file = configIn(folder);
    return {
      files: [{ file, edits: editsFor(program('cargo-credential-keyhold'), option('registry')) }],
      links: [],
      notices: plainTokens(folder),
    };
  },
};

function editsFor(program: string, registry: string | undefined): Edit[] {
  const joint = ' = ' as const;
  const alias: Edit = {
    kind: 'line',
    section: '[credential-alias]',
    key: ALIAS,
    value: JSON.stringify([program]),
    joint,
  };
  if (registry === undefined) {
    return [
      alias,
      {
        kind: 'line',
        section: '[registry]',
        key: 'global-credential-providers',
        value: JSON.stringify([ALIAS]),
        joint,
      },
    ];
  }
  if (!/^[A-Za-z0-9_-]+$/.test(registry)) {
    throw new CommandFailure(2, 'cannot set up cargo: --registry is no name of a registry; give it as in config.toml');
  }
  const value = JSON.stringify(ALIAS);
  return [alias, { kind: 'line', section: `[registries.${registry}]`, key: 'credential-provider', value, joint }];
}

function cargoHome({ environment, home }: Ground): string {
  const given = environment['CARGO_HOME'];
  return given?.startsWith('/') ? given : join(home, '.cargo');
}

/** cargo reads the older name where both are there. */
function configIn(folder: string): string {
  const older = join(folder, 'config');
  return existsSync(older) ? older : join(folder, 'config.toml');
}

function plainTokens(folder: string): string[] {
  return ['credentials.toml', 'credentials']
    .map((name) => join(folder, name))
    .filter((file) => /^\s*token\s*=/m.test(readIfThere(file)?.toString('latin1') ?? ''))
    .map((file) => `${file} still holds a token in plain text; take it over by: keyhold import`);
}
