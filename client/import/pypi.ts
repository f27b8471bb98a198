import { join } from 'node:path';
import { at, Found, type Source, targetOfUrl } from './source.ts';

/** Repositories whose address twine and its like know by themselves. */
const known: Readonly<Record<string, string>> = {
  pypi: 'https://upload.pypi.org/legacy/',
  testpypi: 'https://test.pypi.org/legacy/',
};

/** twine's .pypirc: a section for each repository. Without --repository twine uses `pypi` (twine/settings.py). */
export const pypi: Source = {
  name: 'pypi',
  title: 'twine, flit, hatch (.pypirc)',
  format: 'ini',
  files: ({ home }) => [join(home, '.pypirc')],
  find(leaves) {
    const found = new Found();
    for (const { path, value } of leaves) {
      const [section = '', word] = path;
      if (word?.toLowerCase() !== 'password') continue;
      const repository = at(leaves, section, 'repository') ?? known[section];
      if (repository === undefined) found.pass(path, 'its section names no repository');
      else found.add(targetOfUrl(repository, at(leaves, section, 'username') ?? '__token__'), value, [path]);
    }
    found.putFirst(({ removes: [path] }) => path?.[0] === 'pypi');
    return found;
  },
};
