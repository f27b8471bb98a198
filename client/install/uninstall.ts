import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { autostartLink } from '../../platform/autostart.ts';
import { Attributes } from '../../protocol/attributes.ts';
import { noCapabilities } from '../../protocol/capabilities.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { toWire } from '../../protocol/text.ts';
import { foreignFault, itemsOf, nameOf, type Presence, presenceOn } from '../agent/presence.ts';
import { startAgent } from '../agent/start.ts';
import { hungFault, stopAgent } from '../agent/stop.ts';
import { until } from '../agent/until.ts';
import { CommandFailure } from '../cli/failure.ts';
import { dial } from '../dial.ts';
import { undoGit } from '../setup/git.ts';
import { undoAll } from '../setup/index.ts';
import { undoSystemd } from '../setup/systemd.ts';
import { isMissing, removeEmpty } from './files.ts';
import type { Ground } from './ground.ts';
import { currentLink, unlinkOurs } from './links.ts';
import { dropManifest, manifestPath, readManifest } from './manifest.ts';

/** Milliseconds in which no other agent may come up after the last one ended. */
const SETTLE = 300;

export type Removal = {
  /** What was taken back, in the order it was, in words for people. */
  readonly done: readonly string[];
  /** What stays because it is not keyhold's any more. */
  readonly left: readonly string[];
};

/**
 * Takes everything back: the setups first, so that no tool asks a program that is gone; then the agent, the links and
 * the versions. Config and state stay, unless `purge`: then also every credential, wherever it rests, and each folder
 * that keyhold made. With `purge`, exit 3, 6 or 10 and nothing changed where the keyring does not let go of the items.
 */
export async function uninstall(ground: Ground, { purge, agent }: { purge: boolean; agent: string }): Promise<Removal> {
  const done: string[] = [];
  const left: string[] = [];
  const manifest = readManifest(ground);
  const presence = await presenceOn(ground);
  // Whoever listens there would lose their socket with our folders.
  if (presence.kind === 'foreign') throw foreignFault(ground, presence.listener);
  if (presence.kind === 'silent') throw hungFault(presence.listener?.pid);

  if (purge) {
    const erased = await emptyKeyring(ground, presence, agent);
    if (erased > 0) done.push(`${erased} ${erased === 1 ? 'credential' : 'credentials'} erased from the keyring`);
  }
  const git = undoGit(ground, { dryRun: false });
  if (git.how !== 'nothing') done.push(`git set up no more: ${git.file}`);
  done.push(...(await undoAll(ground)));
  // Before the agent ends, so that no client starts another one.
  const autostart = autostartLink(ground.places.state);
  if (!unlinkOurs(ground, autostart)) left.push(autostart);
  const pid = await stopForGood(ground);
  if (pid !== undefined) done.push(`agent stopped: pid ${pid}`);
  const systemd = await undoSystemd(ground, { dryRun: false });
  if (systemd.removed.length > 0) done.push(`units removed: ${systemd.removed.join(', ')}`);
  left.push(...systemd.left);

  for (const path of (manifest?.names ?? []).map((name) => join(ground.bin, name))) {
    if (!unlinkOurs(ground, path)) left.push(path);
  }
  if (lstatSync(ground.data, { throwIfNoEntry: false })) {
    unlinkOurs(ground, currentLink(ground));
    rmSync(join(ground.data, 'versions'), { recursive: true, force: true });
    removeEmpty([ground.data]);
    done.push(`versions removed: ${ground.data}`);
  }
  if (purge) {
    removeSocketFolder(ground.places.run, done);
    removeOwnFolder(ground.places.config, done);
    // The manifest goes last: whatever is cut off, the next uninstall knows what is still to do.
    const { state } = ground.places;
    const hadState = lstatSync(state, { throwIfNoEntry: false }) !== undefined;
    for (const name of namesIn(state)) {
      if (join(state, name) !== manifestPath(ground)) rmSync(join(state, name), { recursive: true, force: true });
    }
    if (hadState) done.push(`removed: ${state}`);
  }
  dropManifest(ground);
  removeEmpty([...(purge ? [ground.places.state] : []), ...(manifest?.absentBefore ?? [])]);
  return { done, left };
}

/** An agent that a client had started a moment before would come up in the place of the one that ended. */
async function stopForGood(ground: Ground): Promise<number | undefined> {
  const { pid } = await stopAgent(ground);
  const isBack = async () => (await presenceOn(ground)).kind === 'running';
  while (pid !== undefined && (await until(isBack, SETTLE))) await stopAgent(ground);
  return pid;
}

/** Asks the agent to erase what rests in the keyring, which no removal of folders would reach. */
async function emptyKeyring(ground: Ground, before: Presence, program: string): Promise<number> {
  if (namesIn(ground.places.state).length === 0) return 0;
  const agent =
    before.kind === 'running'
      ? before
      : await startAgent(ground, program).then(
          ({ agent }) => agent,
          () => undefined,
        );
  if (agent?.backend !== 'keyring') return 0;
  if (agent.state !== 'open') {
    throw new CommandFailure(
      exitCodeOf(agent.state === 'locked' ? 'locked' : 'unavailable'),
      'cannot purge: the keyring is closed and would keep its items; run: keyhold unlock, then try again, or leave them there by: keyhold uninstall',
    );
  }
  const items = await itemsOf(ground);
  using connection = await dial({ socket: ground.places.agentSocket });
  let erased = 0;
  for (const item of items) {
    const text = (key: string) => (typeof item[key] === 'string' ? toWire(item[key]) : undefined);
    const target = { protocol: text('protocol')!, host: text('host')!, path: text('path'), username: text('username') };
    const reply = await connection({
      action: 'erase',
      target,
      capabilities: noCapabilities,
      attributes: new Attributes(),
    });
    // An erase takes all that its attributes match, so another may have gone with one before.
    if (reply.status === 'ok') erased++;
    else if (reply.status !== 'not-found') {
      throw new CommandFailure(
        exitCodeOf(reply.status),
        `cannot purge: ${nameOf(item)} stays in the keyring: ${reply.message}`,
      );
    }
  }
  return erased;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The agent has ended, so these are left-overs. Folders in it (`d.HASH`) belong to agents of other state folders. */
function removeSocketFolder(folder: string, done: string[]): void {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory())) {
    rmSync(join(folder, name), { force: true });
  }
  removeEmpty([folder]);
  if (!lstatSync(folder, { throwIfNoEntry: false })) done.push(`removed: ${folder}`);
}

function removeOwnFolder(folder: string, done: string[]): void {
  if (!lstatSync(folder, { throwIfNoEntry: false })) return;
  rmSync(folder, { recursive: true, force: true });
  done.push(`removed: ${folder}`);
}
