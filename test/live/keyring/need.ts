import { need } from '../../need.ts';

/** Whether this machine has what a private keyring session is made of. */
export function needKeyring(): boolean {
  return [
    need('dbus-daemon', 'apt-get install dbus'),
    need('gnome-keyring-daemon', 'apt-get install gnome-keyring'),
    need('secret-tool', 'apt-get install libsecret-tools'),
  ].every(Boolean);
}
