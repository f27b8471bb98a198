import { delimiter, join } from 'node:path';
import type { Leaf } from '../formats/leaf.ts';
import { at, Found, type Place, type Source, targetOfUrl } from './source.ts';

/**
 * kubectl's kubeconfigs: tokens of users, each for the servers of the contexts that name the user. Of several users of one server
 * the current context's is the one that kubectl uses; the first file that names a current context decides.
 */
export const kubectl: Source = {
  name: 'kubectl',
  title: 'kubectl',
  format: 'yaml',
  files: ({ home, environment }) =>
    environment['KUBECONFIG']?.split(delimiter).filter((file) => file !== '') ?? [join(home, '.kube/config')],
  async find(leaves, place) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [users, number = '', ...rest] = path;
      if (users !== 'users' || rest.join('/') !== 'user/token') continue;
      const servers = serversOf(leaves, at(leaves, 'users', number, 'name'));
      if (servers.length === 1) found.add(targetOfUrl(servers[0]!, undefined, false), value, [path]);
      else if (servers.length === 0) found.pass(path, 'no context says which cluster its user is for');
      else found.pass(path, 'its user is for several clusters, and a token is kept for one');
    }
    const current = userOf(leaves, await currentContext(place));
    found.putFirst(
      ({ removes: [path] }) => current !== undefined && at(leaves, 'users', path![1]!, 'name') === current,
    );
    return found;
  },
};

async function currentContext(place: Place): Promise<string | undefined> {
  for (const file of kubectl.files(place)) {
    const name = at(await place.leavesOf(file, 'yaml'), 'current-context');
    if (name !== undefined && name !== '') return name;
  }
  return undefined;
}

/** The user of a context, if this file has the context. */
function userOf(leaves: readonly Leaf[], context: string | undefined): string | undefined {
  const found = leaves.find(({ path, value }) => path[0] === 'contexts' && path[2] === 'name' && value === context);
  return found && at(leaves, 'contexts', found.path[1]!, 'context', 'user');
}

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
