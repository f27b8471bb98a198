import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProgram, runProgram, searchFolders } from '../../client/programs.ts';
import { need } from '../need.ts';
import { temporaryFolder } from '../temporary.ts';
import { emptyHome, keyhold } from './keyhold.ts';

const SYSTEM = ['/usr/bin', '/bin', '/usr/local/bin'];
const NAME = 'keyhold-test-program';

describe('a program that keyhold starts', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let root: string;
  beforeEach(() => {
    folder = temporaryFolder('programs');
    root = realpathSync(folder.path);
  });
  afterEach(() => folder.remove());

  /** A folder with the program in it, which prints the folder's name. */
  const place = (name: string, mode = 0o755): string => {
    const at = join(root, name);
    mkdirSync(at);
    writeFileSync(join(at, NAME), `#!/bin/sh\necho ${name}\n`, { mode: 0o755 });
    chmodSync(at, mode);
    return at;
  };
  const found = (...path: string[]) => findProgram(NAME, { PATH: path.join(':') }, root);

  test('is found in the first folder of PATH that is absolute and that others cannot write', () => {
    const [one, two] = [place('one'), place('two')];
    expect(found(one, two)).toBe(join(one, NAME));
    expect(found('.', '', 'one', './one', two)).toBe(join(two, NAME));
    expect(found('/nonexistent', `${one}/../two`)).toBe(join(one, '..', 'two', NAME));
    expect(found()).toBeUndefined();
  });

  test('is not found in the working directory, however it is written, nor in that of the program', () => {
    const [here, two] = [place('here'), place('two')];
    symlinkSync(here, join(root, 'link'));
    for (const written of [here, `${here}/`, `${here}/.`, join(root, 'link')]) {
      expect(findProgram(NAME, { PATH: `${written}:${two}` }, here)).toBe(join(two, NAME));
    }
    const before = process.cwd();
    process.chdir(here);
    try {
      expect(found(here, two)).toBe(join(two, NAME));
    } finally {
      process.chdir(before);
    }
  });

  test.each([0o777, 0o1777, 0o757])(
    'is not found in a folder of mode %o, nor where it has that mode itself',
    (mode) => {
      const [open, two] = [place('open', mode), place('two')];
      expect(found(open, two)).toBe(join(two, NAME));
      const file = join(place('file'), NAME);
      chmodSync(file, mode & 0o777);
      expect(found(join(root, 'file'), two)).toBe(join(two, NAME));
      symlinkSync(file, join(root, 'two', 'linked'));
      expect(findProgram('linked', { PATH: two }, root)).toBeUndefined();
    },
  );

  test.skipIf(process.getuid!() !== 0)('is not found where it or its folder belongs to another user or group', () => {
    const [theirs, two] = [place('theirs'), place('two')];
    chownSync(theirs, 65_534, 65_534);
    expect(found(theirs, two)).toBe(join(two, NAME));
    const group = place('group', 0o775);
    expect(found(group, two)).toBe(join(group, NAME));
    chownSync(group, 0, 65_534);
    expect(found(group, two)).toBe(join(two, NAME));
    const file = join(place('file'), NAME);
    chownSync(file, 65_534, 65_534);
    expect(found(join(root, 'file'), two)).toBe(join(two, NAME));
  });

  test('is looked for last in the system’s own folders, and gets all of these as its PATH', () => {
    const one = place('one');
    const PATH = `.:${one}:${place('open', 0o777)}`;
    expect(searchFolders({ PATH }, root)).toEqual([one, ...SYSTEM]);
    expect(searchFolders({}, root)).toEqual(SYSTEM);
    expect(runProgram('sh', ['-c', `echo "$PATH"; ${NAME}`], { environment: { PATH } }).stdout).toBe(
      `${[one, ...SYSTEM].join(':')}\none\n`,
    );
    const missing = runProgram('keyhold-nonexistent', [], { environment: { PATH } });
    expect(missing).toMatchObject({ status: null, error: { code: 'ENOENT' } });
  });

  test.skipIf(!need('git', 'apt-get install git'))('is the system’s git, not one in a hostile checkout', async () => {
    const home = emptyHome();
    for (const name of ['git', 'systemctl', 'kubectl']) {
      writeFileSync(join(home, name), '#!/bin/sh\ntouch was-run\n', { mode: 0o755 });
    }
    // Each command starts in `home`.
    const commands = [['doctor'], ['setup', 'git', '--dry-run', '--here'], ['token', 'set', '--stdin']];
    for (const args of commands) {
      await keyhold(args, { home, input: '', environment: { PATH: `.:${home}:/usr/bin:/bin` } });
      expect([args, existsSync(join(home, 'was-run'))]).toEqual([args, false]);
    }
  });
});
