import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { autostartLink } from '../../platform/autostart.ts';
import { presenceOn } from '../agent/presence.ts';
import { type Restarted, restartAgent } from '../agent/restart.ts';
import { setupFolder } from '../setup/journal.ts';
import { findServiceManager } from '../setup/service-manager.ts';
import { isManaged, setupSystemd } from '../setup/systemd.ts';
import { copyVersion, removeOtherVersions } from './copy.ts';
import { linkWhole } from './files.ts';
import { absentFolders, type Ground } from './ground.ts';
import { currentLink, installedProgram, isOurLink, linkName, refuseForeign, unlinkOurs } from './links.ts';
import { type Manifest, readManifest, writeManifest } from './manifest.ts';
import { hashOf, parcelOf } from './parcel.ts';
import { type Package, programOf } from './root.ts';

export type Installation = {
  readonly manifest: Manifest;
  /** False if everything was in place already. */
  readonly changed: boolean;
  readonly removedVersions: readonly string[];
  /** Whether a shell finds the linked names. */
  readonly isOnPath: boolean;
  /** The agent that runs now, if an older one was running. */
  readonly restarted: Restarted | undefined;
};

/**
 * Puts a copy of this keyhold where it outlives the clone or npx folder it came from, links its names, and says where
 * autostart finds the agent. The version comes into force in one step, when the link `current` is turned to it; a
 * running agent of another copy is restarted, and other versions are removed after that. Throws `denied`, before
 * anything is changed, where one of the names is taken by something that keyhold did not write.
 */
export async function install(ground: Ground, own: Package): Promise<Installation> {
  const parts = parcelOf(own);
  const hash = hashOf(parts);
  const id = `${own.version}-${hash}`;
  const names = readdirSync(programOf(own, '')).sort();
  const before = readManifest(ground);
  refuseForeign(ground, [...names.map((name) => join(ground.bin, name)), autostartLink(ground.places.state)]);

  const versions = join(ground.data, 'versions');
  const manifest: Manifest = {
    format: 1,
    version: own.version,
    id,
    data: ground.data,
    bin: ground.bin,
    names,
    absentBefore: before?.absentBefore ?? absentFolders(ground, foldersOf(ground)),
    installedAt: before?.id === id ? before.installedAt : new Date().toISOString(),
  };
  // Written first: whatever is cut off in between, uninstall knows what there may be.
  writeManifest(ground, { ...manifest, names: [...new Set([...names, ...(before?.names ?? [])])].sort() });

  const copied = copyVersion(versions, id, hash, parts);
  const turned = turnCurrent(ground, id);
  const linked = names.map((name) => linkName(ground, name)).includes(true);
  for (const name of before?.names ?? []) if (!names.includes(name)) unlinkOurs(ground, join(ground.bin, name));
  const autostart = turnAutostart(ground);
  writeManifest(ground, manifest);

  // The units may have changed with the version; their paths have not.
  if (isManaged(ground) && findServiceManager(ground)) {
    await setupSystemd(ground, own, join(ground.bin, 'keyhold-agent'), { dryRun: false });
  }
  const restarted = await renewAgent(ground, id);
  const removedVersions = removeOtherVersions(versions, id);
  return {
    manifest,
    changed: copied || turned || linked || autostart || removedVersions.length > 0,
    removedVersions,
    isOnPath: (ground.environment['PATH'] ?? '').split(':').includes(ground.bin),
    restarted,
  };
}

/** Every folder that installing, setting up and running may make: those missing now go again at the end. */
function foldersOf(ground: Ground): string[] {
  const { places, data, bin, units } = ground;
  return [places.config, places.state, places.run, setupFolder(ground), join(data, 'versions'), bin, units];
}

function turnCurrent(ground: Ground, id: string): boolean {
  const target = join('versions', id);
  const link = currentLink(ground);
  if (isOurLink(ground, link) && readlinkSync(link) === target) return false;
  linkWhole(target, link);
  return true;
}

function turnAutostart(ground: Ground): boolean {
  const target = installedProgram(ground, 'keyhold-agent');
  const link = autostartLink(ground.places.state);
  if (isOurLink(ground, link) && readlinkSync(link) === target) return false;
  linkWhole(target, link);
  return true;
}

/** An agent of another copy would go on from files that are about to go. */
async function renewAgent(ground: Ground, id: string): Promise<Restarted | undefined> {
  const presence = await presenceOn(ground);
  if (presence.kind !== 'running' || presence.program?.startsWith(join(ground.data, 'versions', id, '/')))
    return undefined;
  return await restartAgent(ground, installedProgram(ground, 'keyhold-agent'));
}
