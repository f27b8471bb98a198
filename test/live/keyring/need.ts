import { spawnSync } from 'node:child_process';
import { DEBIAN_PYTHON } from '../../fakes/keyring-session.ts';
import { need } from '../../need.ts';

/** Whether this machine has what a private keyring session is made of. */
export function needKeyring(): boolean {
  return [
    need('dbus-daemon', 'apt-get install dbus'),
    need('gnome-keyring-daemon', 'apt-get install gnome-keyring'),
    need('secret-tool', 'apt-get install libsecret-tools'),
  ].every(Boolean);
}

/** Whether a session's keyring can be unlocked from outside too. */
export function needPythonDbus(): boolean {
  if (spawnSync(DEBIAN_PYTHON, ['-c', 'import dbus']).status === 0) return true;
  const message = "Python's dbus module is missing; get it by: apt-get install python3-dbus";
  if (process.env.CI === 'true') throw new Error(message);
  console.warn(`skipped: ${message}`);
  return false;
}
