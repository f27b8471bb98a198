import { join } from 'node:path';
import { Found, type Source } from './source.ts';

/** git's `store` helper: one URL a line, percent-encoded (git-credential-store(1), STORAGE FORMAT). */
export const git: Source = {
  name: 'git',
  title: "git's store helper",
  format: 'lines',
  files: ({ home, environment }) => [
    join(home, '.git-credentials'),
    join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'git/credentials'),
  ],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const parts = /^([^:/?#@]+):\/\/([^:@/?#]*):([^@/?#]*)@([^/?#]*)(?:\/(.*))?$/.exec(value);
      if (!parts) {
        found.pass(path, 'it is no URL with a user and a password');
        continue;
      }
      const [, protocol, username, password, host, inPath] = parts;
      const target = {
        protocol: protocol!,
        host: decoded(host!),
        path: inPath ? decoded(inPath) : undefined,
        username: decoded(username!),
      };
      found.add(target, decoded(password!), [path]);
    }
    return found;
  },
};

/** As git's url_decode does: bytes, and a `%` that no two digits follow stands for itself. */
function decoded(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
