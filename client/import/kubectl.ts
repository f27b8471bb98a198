import { delimiter, join } from 'node:path';
import type { Leaf } from '../plaintext/leaf.ts';
import { at, Found, type Source, targetOfUrl } from './source.ts';

/** kubectl's kubeconfigs: tokens of users, each for the servers of the contexts that name the user. */
export const kubectl: Source = {
  name: 'kubectl',
  title: 'kubectl',
  format: 'yaml',
  files: ({ home, environment }) =>
    environment['KUBECONFIG']?.split(delimiter).filter((file) => file !== '') ?? [join(home, '.kube/config')],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [users, place = '', ...rest] = path;
      if (users !== 'users' || rest.join('/') !== 'user/token') continue;
      const servers = serversOf(leaves, at(leaves, 'users', place, 'name'));
      if (servers.length === 1) found.add(targetOfUrl(servers[0]!, undefined, false), value, [path]);
      else if (servers.length === 0) found.pass(path, 'no context says which cluster its user is for');
      else found.pass(path, 'its user is for several clusters, and a token is kept for one');
    }
    return found;
  },
};

/** The servers that contexts lead this user to, each once. */
function serversOf(leaves: readonly Leaf[], user: string | undefined): string[] {
  const named = (list: string, word: string, value: string | undefined) =>
    leaves.filter(({ path, value: one }) => path[0] === list && path.slice(2).join('/') === word && one === value);
  const servers = named('contexts', 'context/user', user).flatMap(({ path }) => {
    const cluster = at(leaves, 'contexts', path[1]!, 'context', 'cluster');
    return named('clusters', 'name', cluster).map((leaf) => at(leaves, 'clusters', leaf.path[1]!, 'cluster', 'server'));
  });
  return [...new Set(servers.filter((server) => server !== undefined))];
}
