import { join } from 'node:path';
import type { Leaf } from '../formats/leaf.ts';
import { at, Found, type Source } from './source.ts';

/**
 * GitHub's own program: hosts.yml has a section for each host, and in newer versions one for each user in it. `user` of a host
 * names the one that gh uses (cli/cli, internal/config/config.go, AuthConfig.ActiveUser).
 */
export const gh: Source = {
  name: 'gh',
  title: "GitHub's gh",
  format: 'yaml',
  files: ({ home, environment }) => [
    join(
      environment['GH_CONFIG_DIR'] || join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'gh'),
      'hosts.yml',
    ),
  ],
  find(leaves) {
    const found = new Found();
    const tokens = leaves.filter(({ path }) => path.at(-1) === 'oauth_token');
    const ofUsers = tokens.filter(({ path }) => path.length === 4 && path[1] === 'users');
    const again = (leaf: Leaf) =>
      tokens.find(({ path, value }) => path.length === 2 && path[0] === leaf.path[0] && value === leaf.value);
    for (const leaf of ofUsers) {
      // The user in force stands there twice.
      const copy = again(leaf);
      const paths = copy ? [leaf.path, copy.path] : [leaf.path];
      found.add({ protocol: 'https', host: leaf.path[0]!, username: leaf.path[2]! }, leaf.value, paths);
    }
    for (const { path, value } of tokens) {
      const [host = ''] = path;
      if (path.length !== 2 || ofUsers.some((leaf) => leaf.path[0] === host && leaf.value === value)) continue;
      found.add({ protocol: 'https', host, username: at(leaves, host, 'user') }, value, [path]);
    }
    found.putFirst(({ target: { host, username } }) => username !== undefined && username === at(leaves, host, 'user'));
    return found;
  },
};
