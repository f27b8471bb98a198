import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { treeOf } from '../client/home.ts';
import { startKeyringSession } from '../fakes/keyring-session.ts';
import { need } from '../need.ts';
import { aPerson } from './person.ts';

const keyring =
  need('dbus-daemon', 'apt-get install dbus') && need('gnome-keyring-daemon', 'apt-get install gnome-keyring');

describe.skipIf(!keyring)('uninstall --purge', () => {
  it.each([
    ['runs', false],
    ['has to be started', true],
  ])('changes nothing while a locked keyring would keep its items, where the agent %s', async (_, isStopped) => {
    await using session = await startKeyringSession();
    const { DBUS_SESSION_BUS_ADDRESS = '', XDG_RUNTIME_DIR = '' } = session.env;
    await using person = await aPerson({ env: { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR } });
    await person.keyhold(['install']);
    await person.keyhold(['setup', 'git']);
    const input = 'protocol=https\nhost=git.invalid\nusername=ada\npassword=purge-EXAMPLE\n\n';
    await person.run(join(person.home, '.local/bin/git-credential-keyhold'), ['store'], { input });
    if (isStopped) await person.keyhold(['stop']);
    await session.lock();
    const [config, bin] = [join(person.home, '.gitconfig'), join(person.home, '.local')];
    const isKept = (line: string) => !line.startsWith('state/');
    const before = treeOf(bin).filter(isKept);

    const { code, stderr } = await person.keyhold(['uninstall', '--purge', '--yes'], { expect: 'any' });
    expect(code).toBe(3);
    expect(stderr).toContain('keyhold unlock');
    expect(treeOf(bin).filter(isKept)).toEqual(before);
    expect((await person.run('cat', [config])).stdout).toContain('keyhold');
  });
});
