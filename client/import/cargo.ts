import { join } from 'node:path';
import type { Target } from '../../protocol/credential.ts';
import type { Format } from '../formats/read.ts';
import { at, Found, type Place, type Source, targetOfUrl } from './source.ts';

/**
 * cargo's credentials.toml: tokens by the names of registries, whose indexes stand in config.toml. Of each file cargo takes the
 * one without the ending where both are there (rust-lang/cargo, src/cargo/util/context, get_file_path).
 */
export const cargo: Source = {
  name: 'cargo',
  title: 'cargo',
  format: 'toml',
  files: (place) => ['credentials', 'credentials.toml'].map((name) => join(homeOf(place), name)),
  async find(leaves, place) {
    const found = new Found();
    const configured = await configurationOf(place);
    for (const { path, value } of leaves) {
      if (path.at(-1) !== 'token') continue;
      if (path.length === 2 && path[0] === 'registry') found.add(CRATES_IO, value, [path]);
      else if (path.length === 3 && path[0] === 'registries') {
        const index = at(configured, 'registries', path[1]!, 'index') ?? place.environment[variableOf(path[1]!)];
        if (index === undefined) found.pass(path, 'no config.toml says which index its registry has');
        else found.add(targetOfIndex(index), value, [path]);
      }
    }
    return found;
  },
};

/** The host of its sparse index, at whose root it lies. */
const CRATES_IO: Target = { protocol: 'https', host: 'index.crates.io' };

/** cargo asks by the index's URL (`sparse+https://HOST/PATH/`); one at the root of its host is held for that host. */
function targetOfIndex(index: string): Target | undefined {
  const target = targetOfUrl(index, undefined, false);
  if (!target?.protocol.startsWith('sparse+') || target.path !== undefined) return target;
  return { ...target, protocol: target.protocol.slice('sparse+'.length) };
}

async function configurationOf(place: Place) {
  for (const name of ['config', 'config.toml']) {
    const leaves = await place.leavesOf(join(homeOf(place), name), 'toml' satisfies Format);
    if (leaves.length > 0) return leaves;
  }
  return [];
}

function homeOf({ home, environment }: Pick<Place, 'home' | 'environment'>): string {
  return environment['CARGO_HOME'] || join(home, '.cargo');
}

function variableOf(registry: string): string {
  return `CARGO_REGISTRIES_${registry.toUpperCase().replaceAll('-', '_')}_INDEX`;
}
