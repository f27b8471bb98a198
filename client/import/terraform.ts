import { join } from 'node:path';
import { Found, type Source } from './source.ts';

/** What `terraform login` writes: tokens by host. */
export const terraform: Source = {
  name: 'terraform',
  title: 'terraform, tofu',
  format: 'json',
  files: ({ home }) => [join(home, '.terraform.d/credentials.tfrc.json')],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [credentials, host = '', word] = path;
      if (credentials !== 'credentials' || word !== 'token' || path.length !== 3) continue;
      found.add({ protocol: 'https', host }, value, [path]);
    }
    return found;
  },
};
