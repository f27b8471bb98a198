import { join } from 'node:path';
import type { Target } from '../../protocol/credential.ts';
import type { Leaf } from '../formats/leaf.ts';
import type { Ground } from '../install/ground.ts';
import { at, basicOf, Found, type Source, targetOfUrl } from './source.ts';

/**
 * npm's and pnpm's user configuration: `//HOST/PATH/:_authToken=…`. Of a `${VARIABLE}` nothing is in the file. Of a key that stands
 * there twice npm takes the last (npm/ini, lib/ini.js, decode), and of one registry a token before a password
 * (npm-registry-fetch, lib/auth.js).
 */
export const npm: Source = {
  name: 'npm',
  title: 'npm, pnpm, yarn 1',
  format: 'npmrc',
  files: (ground) => [npmUserConfig(ground)],
  find(leaves) {
    const found = new Found();
    const overridden = new Set<Leaf['path']>();
    const last = new Map(leaves.map((leaf) => [leaf.path[0], leaf]));
    for (const leaf of leaves) {
      const { path, value } = leaf;
      if (last.get(path[0]) !== leaf) overridden.add(path);
      const [key = ''] = path;
      const [, registry, word] = /^(\/\/.+?)\/?:(_authToken|_auth|_password)$/.exec(key) ?? [];
      if (registry === undefined || value.includes('${')) continue;
      const text = unquoted(value);
      const username = at(leaves, `${registry}/:username`) ?? at(leaves, `${registry}:username`);
      if (word === '_authToken') found.add(targetOf(registry), text, [path]);
      else if (word === '_password') {
        found.add(targetOf(registry, username), Buffer.from(text, 'base64').toString('latin1'), [path]);
      } else {
        const basic = basicOf(text);
        if (basic) found.add(targetOf(registry, basic.username), basic.secret, [path]);
        else found.pass(path, 'it is not base64 of a user and a password');
      }
    }
    found.putFirst(({ removes: [path] }) => path !== undefined && !overridden.has(path));
    found.putFirst(({ removes: [path] }) => path?.[0]?.endsWith(':_authToken') ?? false);
    return found;
  },
};

/** The user's own configuration file, as npm and pnpm find it. */
export function npmUserConfig({ home, environment }: Pick<Ground, 'home' | 'environment'>): string {
  return environment['NPM_CONFIG_USERCONFIG'] || environment['npm_config_userconfig'] || join(home, '.npmrc');
}

function targetOf(registry: string, username?: string): Target | undefined {
  return targetOfUrl(`https:${registry}`, username, false);
}

/** A value in double quotes is JSON to npm, one in single quotes is bare. */
function unquoted(value: string): string {
  return /^(["']).*\1$/.test(value) && value.length > 1 ? value.slice(1, -1) : value;
}
