import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyholdError } from '../../protocol/errors.ts';
import { hasAddon, type Package } from '../install/root.ts';

export type Unit = { readonly name: string; readonly text: string };

/**
 * The user units, from systemd/ of this copy, with the agent's own path in ExecStart and `sockets`, a folder with systemd's
 * specifiers, in ListenStream. `Type=notify` needs the addon to
 * tell systemd that the agent is ready; without it systemd is content when the agent has been executed.
 */
export function unitsOf(own: Package, agent: string, sockets: string): Unit[] {
  const text = (name: string) =>
    readFileSync(join(own.root, 'systemd', name), 'utf8').replaceAll('=%t/keyhold/', () => `=${sockets}/`);
  const service = text('keyhold.service')
    .replace(/^ExecStart=.*$/m, () => `ExecStart=${unitWord(agent)}`)
    .replace(/^Type=.*$/m, `Type=${hasAddon(own) ? 'notify' : 'exec'}`);
  return [
    { name: 'keyhold.socket', text: text('keyhold.socket') },
    { name: 'keyhold-admin.socket', text: text('keyhold-admin.socket') },
    { name: 'keyhold.service', text: service },
  ];
}

/**
 * The sockets' folder as a unit names it: `%t/keyhold` where the manager's runtime folder is `runtime`, so that the units
 * stay the same for every user; else the path itself. Throws `unsafe_place` for a path that no unit can hold.
 */
export function unitFolder(folder: string, runtime: string): string {
  if (folder === `${runtime}/keyhold`) return '%t/keyhold';
  if (/[\n\\]/.test(folder)) {
    throw new KeyholdError('unsafe_place', `cannot set up systemd: the path ${folder} cannot be written in a unit`);
  }
  return folder.replaceAll('%', '%%');
}

/** A path as the first word of ExecStart (systemd.service(5), COMMAND LINES). */
function unitWord(path: string): string {
  if (/["'\\$\n]/.test(path)) {
    throw new KeyholdError('unsafe_place', `cannot set up systemd: the path ${path} cannot be written in a unit`);
  }
  const word = path.replaceAll('%', '%%');
  return /\s/.test(word) ? `"${word}"` : word;
}
