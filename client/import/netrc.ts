import { join } from 'node:path';
import { at, Found, type Source } from './source.ts';

/** The netrc, which curl, git, pip and many others read. It knows hosts and neither scheme nor port: https is meant. */
export const netrc: Source = {
  name: 'netrc',
  title: 'netrc',
  format: 'netrc',
  files: ({ home, environment }) => [environment['NETRC'] || join(home, '.netrc')],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [entry = '', word] = path;
      if (word !== 'password') continue;
      const host = at(leaves, entry, 'machine');
      if (host === undefined) found.pass(path, 'the default entry is for every host, and a token is for one');
      else found.add({ protocol: 'https', host, username: at(leaves, entry, 'login') }, value, [path]);
    }
    return found;
  },
};
