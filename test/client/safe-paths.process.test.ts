import { chmodSync, chownSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runProgram } from '../../client/programs.ts';
import { findUpward, safeFoldersFrom } from '../../client/safe-paths.ts';
import { contextsIn } from '../../client/services/context.ts';
import { whyUnsafe } from '../../protocol/ownership.ts';
import { need } from '../need.ts';
import { builtIn } from '../protocol/services/manifests.ts';
import { temporaryFolder } from '../temporary.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const isRoot = process.getuid!() === 0;
/** A user that is neither root nor the one of the tests. */
const OTHER = 65_534;

/** `a/b/c` in a fresh folder. */
function aTree(): string {
  const { path, remove } = temporaryFolder('upward');
  onTestFinished(remove);
  mkdirSync(join(path, 'a/b/c'), { recursive: true });
  return realpathSync(path);
}

describe('what another user could have put somewhere', () => {
  const self = { uid: 1000, gid: 1000 };
  test.each([
    [{ uid: 1000, gid: 1000, mode: 0o755 }, undefined],
    [{ uid: 0, gid: 0, mode: 0o755 }, undefined],
    [{ uid: 1000, gid: 1000, mode: 0o775 }, undefined],
    [{ uid: 0, gid: 0, mode: 0o775 }, undefined],
    [{ uid: 1000, gid: 100, mode: 0o775 }, 'group 100 may write it'],
    [{ uid: 1000, gid: 1000, mode: 0o777 }, 'every user may write it'],
    [{ uid: 0, gid: 0, mode: 0o1777 }, 'every user may write it'],
    [{ uid: 1001, gid: 1001, mode: 0o700 }, 'it belongs to user 1001'],
  ])('%j: %j', (owned, why) => {
    expect(whyUnsafe(owned, self)).toBe(why);
  });

  test('is what a group may write where the user shares it', () => {
    expect(whyUnsafe({ uid: 1000, gid: 100, mode: 0o775 }, { uid: 1000, gid: 100 })).toBe('group 100 may write it');
  });
});

describe('looking upward', () => {
  test('finds the nearest file, here or above', () => {
    const root = aTree();
    writeFileSync(join(root, 'a/.x'), '');
    expect(findUpward(join(root, 'a/b/c'), '.x')).toEqual({ file: join(root, 'a/.x') });
    writeFileSync(join(root, 'a/b/c/.x'), '');
    expect(findUpward(join(root, 'a/b/c'), '.x')).toEqual({ file: join(root, 'a/b/c/.x') });
    expect(findUpward(join(root, 'a/b'), '.y')).toEqual({});
  });

  test.each([
    ['the file', 'a/.x', 'every user may write it'],
    ['the folder that it lies in', 'a', 'of ROOT/a, every user may write it'],
    ['a folder on the way', 'a/b', 'of ROOT/a/b, every user may write it'],
    ['the working directory', 'a/b/c', 'of ROOT/a/b/c, every user may write it'],
  ])('takes nothing where others may write %s', (_, name, why) => {
    const root = aTree();
    writeFileSync(join(root, 'a/.x'), '');
    chmodSync(join(root, name), 0o777);
    const refused = { path: join(root, 'a/.x'), why: why.replace('ROOT', root) };
    expect(findUpward(join(root, 'a/b/c'), '.x')).toEqual({ refused });
  });

  test('takes nothing from /tmp for a folder below it', () => {
    const root = aTree();
    const { boundary } = safeFoldersFrom(root);
    expect(boundary).toEqual({ path: realpathSync(join(root, '..')), why: 'every user may write it' });
  });

  test.skipIf(!isRoot)('takes nothing of another user, nor across a folder of another user', () => {
    const root = aTree();
    writeFileSync(join(root, 'a/.x'), '');
    chownSync(join(root, 'a/b'), OTHER, OTHER);
    const of = `of ${join(root, 'a/b')}, it belongs to user ${OTHER}`;
    expect(findUpward(join(root, 'a/b/c'), '.x')).toEqual({ refused: { path: join(root, 'a/.x'), why: of } });
    chownSync(join(root, 'a/b'), 0, 0);
    writeFileSync(join(root, 'theirs'), '');
    chownSync(join(root, 'theirs'), OTHER, OTHER);
    symlinkSync(join(root, 'theirs'), join(root, 'a/b/.x'));
    const belongs = `it belongs to user ${OTHER}`;
    expect(findUpward(join(root, 'a/b/c'), '.x')).toEqual({ refused: { path: join(root, 'a/b/.x'), why: belongs } });
  });
});

describe('a project’s own server', () => {
  test('is not taken from a file that others may write, and the file is named', async () => {
    const home = emptyHome();
    mkdirSync(join(home, '.apkg'));
    const file = join(home, '.apkg/config.json');
    writeFileSync(file, '{"registry":"https://registry.example"}');
    const set = () => keyhold(['token', 'set', '--service', 'apkg', '--stdin'], { home, input: 'apkg_EXAMPLE\n' });
    const looked = () => contextsIn(realpathSync(home), builtIn);
    expect(looked()).toMatchObject({ found: [{ url: 'https://registry.example' }], refused: [] });
    chmodSync(file, 0o666);
    expect(looked()).toMatchObject({ found: [], refused: [{ why: 'every user may write it' }] });
    chmodSync(file, 0o644);
    chmodSync(home, 0o777);
    expect(looked().found).toEqual([]);
    const { stderr } = await set();
    expect(stderr).toContain(
      `keyhold: not read, because another user could have written it: ${join(realpathSync(home), '.apkg/config.json')}`,
    );
    expect(stderr).not.toContain('registry.example');
  });

  test.skipIf(!need('git', 'apt-get install git'))(
    'is not taken from a repository above a folder that others may write',
    () => {
      const root = aTree();
      const git = (...args: string[]) => expect(runProgram('git', args, { cwd: join(root, 'a') }).status).toBe(0);
      git('init', '-q');
      git('remote', 'add', 'origin', 'https://github.com/a/b.git');
      const found = () => contextsIn(join(root, 'a/b/c'), builtIn).found.map(({ url }) => url);
      expect(found()).toEqual(['https://github.com']);
      chmodSync(join(root, 'a/b'), 0o777);
      expect(found()).toEqual([]);
    },
  );
});
