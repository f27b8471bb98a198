import { expect, test } from 'vitest';
import { repositoryFolder } from '../../protocol/repository.ts';

test.each([
  // git in a work tree, at its top.
  ['/home/ada/app', '.git', undefined, '/home/ada/app'],
  // A clone: the destination, and not where it was started.
  ['/home/ada', '/home/ada/work/app/.git', undefined, '/home/ada/work/app'],
  ['/home/ada', 'work/app/.git', undefined, '/home/ada/work/app'],
  ['/home/ada', '/home/ada/work/app/.git', '/home/ada/work/app', '/home/ada/work/app'],
  // A work tree elsewhere, a bare repository, a submodule, and one in the root.
  ['/home/ada', '/srv/app.git', '../tree/./app', '/home/tree/app'],
  ['/home/ada', '/srv/app.git', undefined, '/srv/app.git'],
  ['/home/ada/app/sub', '/home/ada/app/.git/modules/sub', undefined, '/home/ada/app/.git/modules/sub'],
  ['/', '.git', undefined, '/'],
  // Nothing said, or nothing that can be known.
  ['/home/ada/', undefined, undefined, '/home/ada'],
  ['/home/ada', '', '', '/home/ada'],
  [undefined, '.git', undefined, undefined],
  [undefined, '/home/ada/.git', undefined, '/home/ada'],
  [undefined, undefined, undefined, undefined],
  ['relative', '.git', undefined, undefined],
])('of cwd %j, GIT_DIR %j and GIT_WORK_TREE %j is %j', (cwd, gitDir, workTree, folder) => {
  expect(repositoryFolder(cwd, gitDir, workTree)).toBe(folder);
});
