import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { need } from '../need.ts';
import { aPerson, PLAIN_UID } from './person.ts';

const isRoot = process.getuid!() === 0;
if (!isRoot) console.warn('skipped: files of other users and mounts need root; run the suite as root');

describe.skipIf(!isRoot)('an error of the system is told with path, its own words and a remedy', () => {
  it.skipIf(!need('unshare', 'apt-get install util-linux'))('where the home folder is read-only', async () => {
    await using person = await aPerson();
    const script = 'mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME" && exec "$@"';
    const run = (...words: string[]) =>
      person.run('unshare', ['-m', 'sh', '-c', script, 'sh', ...words], { expect: 'any' });
    for (const [program, words, who] of [
      ['keyhold', ['install'], 'keyhold'],
      ['keyhold', ['start'], 'keyhold'],
      ['keyhold-agent', [], 'keyhold-agent'],
    ] as const) {
      const { code, stderr } = await run(join(person.copy, 'dist/bin', program), ...words);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(
        new RegExp(
          `^${who}: .*${person.home}/\\S+: read-only file system \\(EROFS\\); mount it for writing, or set KEYHOLD_HOME`,
        ),
      );
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
  });

  it('where root owns ~/.cargo, and the remedy works as printed', async () => {
    await using person = await aPerson({ plain: true });
    await person.keyhold(['install']);
    mkdirSync(join(person.home, '.cargo'), { mode: 0o755 });
    const { code, stderr } = await person.keyhold(['setup', 'cargo'], { expect: 'any' });
    expect(code).not.toBe(0);
    const [, remedy] =
      /^keyhold: cannot .*\/\.cargo\/\S+: permission denied \(EACCES\); run: sudo (.*)\n$/.exec(stderr) ?? [];
    expect(remedy, stderr).toBe(`chown ${PLAIN_UID} ${person.home}/.cargo`);
    const [, uid, path] = remedy!.split(' ');
    chownSync(path!, Number(uid), Number(uid));
    expect((await person.keyhold(['setup', 'cargo'])).code).toBe(0);
  });

  it.each([
    ['keyhold', 'cli.cjs'],
    ['keyhold-agent', 'agent.cjs'],
    ['keyhold', 'services.json'],
  ])('where %s was built by another user, who keeps %s closed', async (program, file) => {
    await using person = await aPerson({ plain: true });
    const path = join(person.copy, 'dist/lib', file);
    chownSync(path, 0, 0);
    chmodSync(path, 0o600);
    const run = () => person.run(join(person.copy, 'dist/bin', program), ['--version'], { expect: 'any' });
    const { code, stderr } = await run();
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `${program}: cannot start: ${person.copy}/dist/bin/../lib/${file} may not be read by this user; let its owner run: chmod -R a+rX ${person.copy}/dist`,
      ),
    });
    chmodSync(path, 0o644);
    expect((await run()).code).toBe(0);
  });
});

describe.skipIf(!isRoot)('root with the HOME of another user', () => {
  it('writes nothing there unless it is told to, and gets work', async () => {
    await using person = await aPerson();
    chownSync(person.home, PLAIN_UID, PLAIN_UID);
    const own = () => readdirSync(person.home, { recursive: true, encoding: 'utf8' }).sort();
    const before = own();
    const program = (name: string) => join(person.copy, 'dist/bin', name);
    const refused = `cannot write below ${person.home} as root: it belongs to uid ${PLAIN_UID}; set HOME or KEYHOLD_HOME to a folder of root's, or add: --as-root\n`;
    for (const words of [
      ['install'],
      ['start'],
      ['setup', 'git'],
      ['setup', 'cargo'],
      ['import'],
      ['config', 'set', 'backend', 'vault'],
    ]) {
      const { code, stderr } = await person.run(program('keyhold'), words, { expect: 'any' });
      expect({ words, code, stderr }).toEqual({ words, code: 5, stderr: `keyhold: ${refused}` });
    }
    expect(await person.run(program('keyhold-agent'), [], { expect: 'any' })).toMatchObject({
      code: 1,
      stderr: `keyhold-agent: ${refused}`,
    });
    const input = 'protocol=https\nhost=git.invalid\nusername=ada\n';
    const helper = program('git-credential-keyhold');
    // git goes on and asks the user.
    expect(await person.run(helper, ['get'], { input: `${input}\n` })).toMatchObject({ code: 0, stdout: '' });
    expect(own()).toEqual(before);

    // A folder of one's own needs no leave.
    const KEYHOLD_HOME = join(person.desk, 'kh');
    mkdirSync(KEYHOLD_HOME, { mode: 0o700 });
    expect((await person.run(program('keyhold'), ['start'], { env: { KEYHOLD_HOME } })).code).toBe(0);
    expect((await person.run(program('keyhold'), ['stop'], { env: { KEYHOLD_HOME } })).code).toBe(0);
    expect(own()).toEqual(before);

    expect((await person.run(program('keyhold'), ['start', '--as-root'])).code).toBe(0);
    await person.run(helper, ['store'], { input: `${input}password=root-EXAMPLE\n\n` });
    expect((await person.run(helper, ['get'], { input: `${input}\n` })).stdout).toContain('root-EXAMPLE');
    // What root made there it goes on using.
    await person.run(program('keyhold'), ['stop']);
    expect((await person.run(program('keyhold'), ['start'])).code).toBe(0);
    expect((await person.run(helper, ['get'], { input: `${input}\n` })).stdout).toContain('root-EXAMPLE');
  });

  it('is never advised by doctor to remove what holds the credentials', async () => {
    await using person = await aPerson();
    const state = join(person.home, '.local/state/keyhold');
    mkdirSync(state, { recursive: true, mode: 0o700 });
    writeFileSync(join(state, 'vault.db'), '', { mode: 0o600 });
    for (const path of [person.home, state, join(state, 'vault.db')]) chownSync(path, PLAIN_UID, PLAIN_UID);
    const doctor = async () => {
      const { stdout } = await person.keyhold(['doctor', '--json'], {
        expect: 'any',
        env: { KEYHOLD_NO_AUTOSTART: '1' },
      });
      return (JSON.parse(stdout) as { findings: { what: string; remedy: string }[] }).findings;
    };
    const named = (await doctor()).filter(({ what }) => what.includes(state));
    expect(named.length).toBeGreaterThan(0);
    expect((await doctor()).filter(({ remedy }) => /\brm\b|remove/.test(remedy) && remedy.includes(state))).toEqual([]);
    expect(named.map(({ remedy }) => remedy).join()).not.toMatch(/\brm\b|remove/);
    expect(existsSync(join(state, 'vault.db')) && lstatSync(state).uid).toBe(PLAIN_UID);
  });
});
