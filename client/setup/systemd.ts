import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { computePlaces, writeSocketFolder } from '../../platform/places.ts';
import { stopAgent } from '../agent/stop.ts';
import { CommandFailure } from '../cli/failure.ts';
import { makeFolder, readIfThere, removeDrafts, removeEmpty, writeWhole } from '../install/files.ts';
import { absentFolders, type Ground } from '../install/ground.ts';
import type { Package } from '../install/root.ts';
import { digestOf, openJournal } from './journal.ts';
import { findServiceManager, runtimeFolder, type ServiceManager } from './service-manager.ts';
import { type Unit, unitFolder, unitsOf } from './units.ts';

export const SOCKET_UNIT = 'keyhold.socket';
/** Goes up and down with the other one. */
const ADMIN_UNIT = 'keyhold-admin.socket';
export const SERVICE_UNIT = 'keyhold.service';

type Entry = {
  readonly format: 1;
  readonly folder: string;
  readonly units: readonly { readonly name: string; readonly hash: string }[];
  /** Folders that were not there before. */
  readonly absentBefore: readonly string[];
};

export type SystemdReport = {
  readonly folder: string;
  readonly changed: boolean;
  readonly units: readonly Unit[];
  /** Pid of an agent that nobody managed and that had to end for this. */
  readonly handedOver: number | undefined;
};

/** Whether keyhold runs by the units of `setupSystemd` here. */
export function isManaged(ground: Ground): boolean {
  return openJournal<Entry>(ground, 'systemd').read() !== undefined;
}

/**
 * Puts the agent under the person's service manager: writes the units, ends an agent that runs without it, and enables
 * the socket, at which systemd starts the agent when the first tool asks. Doing it again changes nothing. Exit 2 with
 * KEYHOLD_HOME, whose socket no unit serves; exit 10 where no service manager answers.
 */
export async function setupSystemd(
  ground: Ground,
  own: Package,
  agent: string,
  { dryRun }: { readonly dryRun: boolean },
): Promise<SystemdReport> {
  refuseOwnHome(ground);
  const manager = findServiceManager(ground);
  if (!manager) {
    throw new CommandFailure(
      10,
      'cannot set up systemd: no service manager of yours answers (systemctl --user); the agent starts by itself without it',
    );
  }
  const folder = ground.units;
  const run = computePlaces(ground.environment)!.run;
  const units = unitsOf(own, agent, unitFolder(run, runtimeFolder(ground)!));
  const journal = openJournal<Entry>(ground, 'systemd');
  const journalled = journal.read();
  refuseForeign(folder, units, journalled);

  const isSame = units.every(({ name, text }) => readIfThere(join(folder, name))?.equals(Buffer.from(text)));
  const changed = !(isSame && journalled && manager.ask('is-enabled', SOCKET_UNIT) === 'enabled');
  if (!changed || dryRun) return { folder, changed, units, handedOver: undefined };

  const absentBefore = journalled?.absentBefore ?? absentFolders(ground, [folder, `${folder}/sockets.target.wants`]);
  const hashes = units.map(({ name, text }) => ({ name, hash: digestOf(Buffer.from(text)) }));
  journal.write({ format: 1, folder, units: hashes, absentBefore });
  makeFolder(folder);
  for (const { name, text } of units) writeWhole(join(folder, name), text, 0o644);
  manager.call('daemon-reload');
  const handedOver = await endUnmanaged(ground, manager);
  writeSocketFolder(ground.places.state, run);
  manager.call('enable', SOCKET_UNIT, ADMIN_UNIT);
  manager.call('start', SOCKET_UNIT);
  // An agent that runs has opened this one by itself: then it comes with the next start.
  manager.ask('start', ADMIN_UNIT);
  return { folder, changed, units, handedOver };
}

/** Takes the units back. A unit that the person changed since stays, disabled. Answers what it removed and what it left. */
export async function undoSystemd(
  ground: Ground,
  { dryRun }: { readonly dryRun: boolean },
): Promise<{ removed: string[]; left: string[] }> {
  const journal = openJournal<Entry>(ground, 'systemd');
  const entry = journal.read();
  if (!entry) return { removed: [], left: [] };
  const paths = entry.units.map(({ name, hash }) => ({ path: join(entry.folder, name), hash }));
  const there = paths.flatMap(({ path, hash }) => {
    const bytes = readIfThere(path);
    return bytes ? [{ path, isOurs: digestOf(bytes) === hash }] : [];
  });
  const removed = there.filter(({ isOurs }) => isOurs).map(({ path }) => path);
  const left = there.filter(({ isOurs }) => !isOurs).map(({ path }) => path);
  if (dryRun) return { removed, left };

  const manager = findServiceManager(ground);
  manager?.call('disable', '--now', SOCKET_UNIT, ADMIN_UNIT);
  manager?.call('stop', SERVICE_UNIT);
  if (!manager) {
    for (const unit of [SOCKET_UNIT, ADMIN_UNIT]) {
      rmSync(join(entry.folder, 'sockets.target.wants', unit), { force: true });
    }
  }
  for (const path of removed) rmSync(path);
  for (const { path } of paths) removeDrafts(path);
  manager?.call('daemon-reload');
  manager?.ask('reset-failed', SERVICE_UNIT, SOCKET_UNIT, ADMIN_UNIT);
  removeEmpty([join(entry.folder, 'sockets.target.wants')]);
  removeEmpty(entry.absentBefore);
  journal.drop();
  return { removed, left };
}

/** An agent that somebody started by hand holds the socket's path, and would be forgotten there when systemd takes it. */
async function endUnmanaged(ground: Ground, manager: ServiceManager): Promise<number | undefined> {
  if (manager.ask('is-active', SERVICE_UNIT) === 'active') return undefined;
  const { pid } = await stopAgent(ground);
  return pid;
}

function refuseOwnHome({ environment }: Ground): void {
  const named = ['KEYHOLD_HOME', 'KEYHOLD_SOCKET'].find((name) => environment[name]?.startsWith('/'));
  if (named) {
    throw new CommandFailure(
      2,
      `cannot set up systemd: its units serve the usual places, and ${named} is set; unset it`,
    );
  }
}

function refuseForeign(folder: string, units: readonly Unit[], entry: Entry | undefined): void {
  const foreign = units.filter(({ name, text }) => {
    const bytes = readIfThere(join(folder, name));
    if (!bytes || bytes.equals(Buffer.from(text))) return false;
    return entry?.units.find((unit) => unit.name === name)?.hash !== digestOf(bytes);
  });
  if (foreign.length === 0) return;
  const paths = foreign.map(({ name }) => join(folder, name)).join(', ');
  throw new CommandFailure(
    1,
    `cannot set up systemd: ${paths} was not written by keyhold, or was changed since; move it away`,
  );
}
