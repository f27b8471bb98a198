import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ground } from '../../../client/install/ground.ts';
import { setupGit, undoGit } from '../../../client/setup/git.ts';
import { globalFile } from '../../../client/setup/git-config.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn, treeOf } from '../home.ts';

const HELPER = '/opt/keyhold/git-credential-keyhold';
const USUAL = '# mine\n[user]\n\tname = Ada\n[credential]\n\thelper = store\n\n; the end\n';

describe.skipIf(!need('git', 'apt-get install git'))('setup git', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let home: string;
  let ground: Ground;

  beforeEach(() => {
    folder = temporaryFolder('git');
    home = folder.path;
    ground = groundIn(home);
  });
  afterEach(() => folder.remove());

  const file = () => join(home, '.gitconfig');
  const setup = (dryRun = false, helper = HELPER) => setupGit(ground, helper, { dryRun, cwd: home });
  const undo = () => undoGit(ground, { dryRun: false });
  const helpers = (cwd = home) =>
    spawnSync('git', ['config', '--get-all', 'credential.helper'], {
      env: { ...ground.environment },
      cwd,
      encoding: 'utf8',
    })
      .stdout.split('\n')
      .slice(0, -1);

  it('resets the list and names the helper by its absolute path', () => {
    const { changed, values } = setup();
    expect(changed).toBe(true);
    expect(values).toEqual(['', `!exec ${HELPER}`]);
    expect(helpers()).toEqual(['', `!exec ${HELPER}`]);
  });

  it('changes nothing the second time', () => {
    setup();
    const before = treeOf(home);
    expect(setup().changed).toBe(false);
    expect(treeOf(home)).toEqual(before);
  });

  it('changes nothing on a dry run, and says what it would', () => {
    writeFileSync(file(), USUAL);
    const before = treeOf(home);
    expect(setup(true)).toMatchObject({ changed: true, file: file(), values: ['', `!exec ${HELPER}`] });
    expect(treeOf(home)).toEqual(before);
  });

  it('gives back the very bytes and the mode', () => {
    writeFileSync(file(), USUAL, { mode: 0o640 });
    const before = treeOf(home);
    setup();
    expect(statSync(file()).mode & 0o777).toBe(0o640);
    expect(undo().how).toBe('restored');
    expect(treeOf(home).filter((line) => !line.startsWith('.local'))).toEqual(before);
  });

  it('removes a file that was not there before', () => {
    setup();
    expect(undo().how).toBe('restored');
    expect(existsSync(file())).toBe(false);
  });

  it('takes away only its own lines where the file was changed since', () => {
    writeFileSync(file(), USUAL);
    setup();
    appendFileSync(file(), '[core]\n\teditor = ed # mine too\n');
    expect(undo().how).toBe('removed-lines');
    expect(readFileSync(file(), 'utf8')).toBe(
      `${USUAL.replace('; the end\n', '')}; the end\n[core]\n\teditor = ed # mine too\n`,
    );
  });

  it('keeps what the person wrote into a file that was not there before, also after a second setup', () => {
    for (const again of [false, true]) {
      setup();
      appendFileSync(file(), '[core]\n\teditor = ed # mine\n');
      if (again) setup(false, '/opt/newer/git-credential-keyhold');
      expect(undo().how).not.toBe('nothing');
      expect(readFileSync(file(), 'utf8').trim()).toBe('[core]\n\teditor = ed # mine');
      writeFileSync(file(), '');
    }
  });

  it('takes away its own empty line where the person has one too', () => {
    writeFileSync(file(), '[credential]\n\thelper =\n\thelper = store\n');
    setup();
    appendFileSync(file(), '[user]\n\tname = Ada\n');
    expect(undo().how).toBe('removed-lines');
    expect(readFileSync(file(), 'utf8')).toBe('[credential]\n\thelper =\n\thelper = store\n[user]\n\tname = Ada\n');
  });

  it('finds nothing to take back when the person removed its lines', () => {
    setup();
    writeFileSync(file(), '[user]\n\tname = Ada\n');
    expect(undo().how).toBe('nothing');
    expect(undo().file).toBeUndefined();
    expect(readFileSync(file(), 'utf8')).toContain('Ada');
  });

  it('keeps a link a link, and gives back what it leads to', () => {
    mkdirSync(join(home, 'dotfiles'));
    writeFileSync(join(home, 'dotfiles/gitconfig'), USUAL);
    symlinkSync('dotfiles/gitconfig', file());
    setup();
    expect(lstatSync(file()).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(home, 'dotfiles/gitconfig'), 'utf8')).toContain('keyhold');
    undo();
    expect(lstatSync(file()).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(home, 'dotfiles/gitconfig'), 'utf8')).toBe(USUAL);
  });

  it('writes where git reads: GIT_CONFIG_GLOBAL, and the file under .config that stands alone', () => {
    const named = join(home, 'elsewhere');
    expect(globalFile(groundIn(home, { GIT_CONFIG_GLOBAL: named }))).toBe(named);
    mkdirSync(join(home, '.config/git'), { recursive: true });
    writeFileSync(join(home, '.config/git/config'), USUAL);
    expect(globalFile(ground)).toBe(join(home, '.config/git/config'));
    mkdirSync(join(home, 'xdg/git'), { recursive: true });
    writeFileSync(join(home, 'xdg/git/config'), '');
    expect(globalFile(groundIn(home, { XDG_CONFIG_HOME: join(home, 'xdg') }))).toBe(join(home, 'xdg/git/config'));
    setup();
    expect(helpers()).toEqual(['store', '', `!exec ${HELPER}`]);
  });

  it('refuses a GIT_CONFIG_GLOBAL that keeps nothing', () => {
    const nowhere = groundIn(home, { GIT_CONFIG_GLOBAL: '/dev/null' });
    expect(() => setupGit(nowhere, HELPER, { dryRun: false })).toThrow(/GIT_CONFIG_GLOBAL/);
  });

  it('leads back to the beginning over a change of the path', () => {
    writeFileSync(file(), USUAL);
    setup();
    setup(false, '/elsewhere/git-credential-keyhold');
    expect(helpers()).toEqual(['store', '', '!exec /elsewhere/git-credential-keyhold']);
    undo();
    expect(readFileSync(file(), 'utf8')).toBe(USUAL);
  });

  it('quotes a path for the shell that git gives it to', () => {
    const odd = join(home, "o'dd $(touch x) dir");
    mkdirSync(odd);
    const helper = join(odd, 'git-credential-keyhold');
    writeFileSync(helper, '#!/bin/sh\n[ "$1" = get ] && printf "username=ada\\npassword=odd-EXAMPLE\\n"\n', {
      mode: 0o755,
    });
    setup(false, helper);
    const { stdout } = spawnSync('git', ['credential', 'fill'], {
      env: { ...ground.environment, GIT_TERMINAL_PROMPT: '0' },
      cwd: home,
      input: 'protocol=https\nhost=git.invalid\n\n',
      encoding: 'utf8',
    });
    expect(stdout).toContain('password=odd-EXAMPLE');
    expect(existsSync(join(home, 'x'))).toBe(false);
    appendFileSync(file(), '[user]\n\tname = Ada\n');
    expect(undo().how).toBe('removed-lines');
    expect(readFileSync(file(), 'utf8')).toBe('[user]\n\tname = Ada\n');
  });

  it.each([true, false])('names who else is told every secret (dry run: %s)', (dryRun) => {
    writeFileSync(
      file(),
      '[credential]\n\thelper = store\n[credential "https://git.invalid"]\n\thelper =\n\thelper = !gh auth git-credential\n',
    );
    const { alsoTold, overrides } = setup(dryRun);
    expect(alsoTold).toEqual([
      { scope: 'global', origin: `file:${file()}`, url: 'https://git.invalid', value: '!gh auth git-credential' },
    ]);
    expect(overrides).toMatchObject([{ url: 'https://git.invalid', value: '' }]);
  });

  it('names the helper of the repository that it is called in', () => {
    spawnSync('git', ['init', '-q', 'work'], { cwd: home, env: { ...ground.environment } });
    const work = join(home, 'work');
    spawnSync('git', ['config', 'credential.helper', 'cache'], { cwd: work, env: { ...ground.environment } });
    const { alsoTold } = setupGit(ground, HELPER, { dryRun: false, cwd: work });
    expect(alsoTold).toMatchObject([{ scope: 'local', value: 'cache' }]);
  });

  it('leaves the file alone while git holds its lock', () => {
    writeFileSync(file(), USUAL);
    writeFileSync(`${file()}.lock`, '');
    expect(() => setup()).toThrow(/cannot change/);
    expect(readFileSync(file(), 'utf8')).toBe(USUAL);
  });

  it('takes away the lock that one of ours left when it was killed', () => {
    writeFileSync(file(), USUAL);
    // No process has this number: it is beyond what the kernel gives.
    const draft = `${file()}.keyhold-99999999`;
    writeFileSync(draft, 'half');
    linkSync(draft, `${file()}.lock`);
    setup();
    expect(readFileSync(file(), 'utf8')).toContain(HELPER);
    expect([existsSync(draft), existsSync(`${file()}.lock`)]).toEqual([false, false]);
  });
});
