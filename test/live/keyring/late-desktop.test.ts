import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { need } from '../../need.ts';
import { aMachine, canMakeMachine, type Machine } from '../machine.ts';
import { aPerson, type Person, PLAIN_UID } from '../person.ts';
import { needKeyring } from './need.ts';

const ssh = { SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22' };

/** What `doctor` says about the session, and the state that `status` tells. */
async function told(person: Person) {
  const env = { KEYHOLD_NO_AUTOSTART: '1' };
  const { findings } = JSON.parse((await person.keyhold(['doctor', '--json'], { env, expect: 'any' })).stdout) as {
    findings: { check: string; what: string; remedy: string }[];
  };
  const { state, backend } = JSON.parse((await person.keyhold(['status', '--json'], { env })).stdout) as Record<
    string,
    string
  >;
  const { what, remedy } = findings.find(({ check }) => check === 'session')!;
  return { state, backend, what, remedy };
}

const get = (person: Person) =>
  person.run(join(person.home, '.local/bin/git-credential-keyhold'), ['get'], {
    input: 'protocol=https\nhost=git.invalid\n\n',
    env: { KEYHOLD_NO_AUTOSTART: '1' },
  });

async function storeInKeyring(person: Person): Promise<void> {
  await person.run(join(person.home, '.local/bin/git-credential-keyhold'), ['store'], {
    input: 'protocol=https\nhost=git.invalid\nusername=ada\npassword=desktop-EXAMPLE\n\n',
    env: { KEYHOLD_NO_AUTOSTART: '1' },
  });
}

describe.skipIf(!needKeyring())('an agent that was started over ssh', () => {
  it.each(['unlock', 'restart'])('finds the keyring of a later desktop session, by %s from there', async (verb) => {
    await using session = await startKeyringSession();
    await using person = await aPerson();
    await person.keyhold(['install']);
    await person.keyhold(['config', 'set', 'backend', 'keyring']);
    await person.keyhold(['start'], { env: ssh });
    expect(await told(person)).toMatchObject({
      state: 'failed',
      what: 'the agent was started over ssh, and finds no session bus, and so no keyring',
      remedy: 'run in the session that has the keyring: keyhold unlock',
    });
    const desktop = { DBUS_SESSION_BUS_ADDRESS: session.env['DBUS_SESSION_BUS_ADDRESS']! };
    await person.keyhold([verb, ...(verb === 'restart' ? ['--yes'] : [])], { env: desktop });
    // On a busy machine the first opening after a restart may be given up; the next one has that bus as well.
    if ((await told(person)).state !== 'open') await person.keyhold(['unlock']);
    expect((await told(person)).state).toBe('open');
    await storeInKeyring(person);
    expect((await get(person)).stdout).toContain('desktop-EXAMPLE');
    expect((await told(person)).what).toBe(
      `the agent was started over ssh, and finds the session bus at ${desktop.DBUS_SESSION_BUS_ADDRESS}`,
    );
  });

  it.skipIf(!need('nsenter', 'apt-get install util-linux') || !canMakeMachine())(
    'finds it at the user’s fixed place, without any variable',
    async () => {
      await using machine = await aMachine();
      await using person = await aPerson({ plain: true, under: machine.enter });
      machine.addUser(PLAIN_UID, person.home);
      await person.keyhold(['install']);
      await person.keyhold(['config', 'set', 'backend', 'keyring']);
      await person.keyhold(['start'], { env: ssh });
      expect(await told(person)).toMatchObject({ state: 'failed' });
      const runtime = await machine.login(PLAIN_UID);
      const ended = await aDesktop(machine, person, `unix:path=${runtime}/bus`);
      try {
        await person.keyhold(['unlock']);
        await storeInKeyring(person);
        expect((await get(person)).stdout).toContain('desktop-EXAMPLE');
        expect(await told(person)).toMatchObject({ state: 'open', backend: 'keyring' });
      } finally {
        await ended();
      }
    },
  );
});

/** The bus and the keyring of a desktop session at the place where a service manager has them. */
async function aDesktop(machine: Machine, person: Person, address: string): Promise<() => Promise<void>> {
  const as = [...machine.enter, 'setpriv', `--reuid=${PLAIN_UID}`, `--regid=${PLAIN_UID}`, '--clear-groups', '--'];
  const env = { ...person.env, DBUS_SESSION_BUS_ADDRESS: address };
  const running: ChildProcess[] = [];
  const start = (program: string, ...words: string[]) => {
    const child = spawn(as[0]!, [...as.slice(1), program, ...words], { env, stdio: ['pipe', 'ignore', 'ignore'] });
    running.push(child);
    return child;
  };
  const ask = (...words: string[]) =>
    person.run('dbus-send', ['--session', '--print-reply', ...words], { env, expect: 'any' });
  start('dbus-daemon', '--session', '--nofork', '--nopidfile', `--address=${address}`);
  const bus = ['--dest=org.freedesktop.DBus', '/', 'org.freedesktop.DBus.GetId'];
  await expect.poll(async () => (await ask(...bus)).code).toBe(0);
  start('gnome-keyring-daemon', '--unlock', '--components=secrets', '--foreground').stdin!.end('session-EXAMPLE');
  // A question to the keyring itself would let the bus start another one.
  const owner = ['--dest=org.freedesktop.DBus', '/', 'org.freedesktop.DBus.NameHasOwner'];
  await expect
    .poll(async () => (await ask(...owner, 'string:org.freedesktop.secrets')).stdout)
    .toContain('boolean true');
  return async () => {
    for (const child of running.reverse()) {
      const end = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await end;
    }
  };
}
