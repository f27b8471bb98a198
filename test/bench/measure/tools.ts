import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Figure, Measured } from '../figures.ts';
import { question, token } from '../fixture.ts';
import { startPeers } from '../peers.ts';
import { helperGets, helperNames } from '../questions.ts';
import { type Agent, dist, HELPER, type Rig } from '../rig.ts';
import { compare } from './compare.ts';

/**
 * One get by every tool's helper, as a whole process: against git's in the same rounds; then docker's and keyring's
 * against the programs that these tools have without us.
 */
export async function measureTools(rig: Rig, agent: Agent): Promise<Map<string, Measured>> {
  const results = new Map<string, Measured>();
  const git = `<${await rig.write('question', question)} KEYHOLD_HOME=${agent.home} ${join(dist, 'bin', HELPER)} get`;
  const commands = await prepare(rig, agent);
  const runs = await rig.pbench(rig.rounds(300), { git, ...commands }, token);
  for (const tool of helperNames) results.set(`tool/${tool}`, compare(runs.get(tool)!, runs.get('git')!));

  await using peers = await startPeers(rig, ['docker', 'keyring']);
  for (const tool of ['docker', 'keyring'] as const) {
    const peer = peers.all.get(tool)!;
    const id: Figure['id'] = `tool/${tool}-peer`;
    if ('missing' in peer) {
      results.set(id, peer);
      continue;
    }
    // git's get stands before ours, as among the other slow peers: ours does not begin on a machine that has just slept.
    const slow = await rig.pbench(rig.rounds(60), { git, ours: commands[tool]!, peer: peer.words }, token);
    results.set(id, compare(slow.get('ours')!, slow.get('peer')!));
  }
  return results;
}

/** What pbench runs for each tool: its input in a file, and a link where `keyhold setup` makes one. */
async function prepare(rig: Rig, agent: Agent): Promise<Record<string, string>> {
  const commands: Record<string, string> = {};
  const links = rig.path('links');
  for (const tool of helperNames) {
    const { program, isLink, args, input, environment } = helperGets[tool];
    const path = join(isLink ? links : join(dist, 'bin'), program);
    if (isLink) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await symlink(join(dist, 'bin/keyhold-helper'), path);
    }
    const before = input === undefined ? [] : [`<${await rig.write(`${tool}-question`, input)}`];
    commands[tool] = [...before, `KEYHOLD_HOME=${agent.home}`, ...(environment ?? []), path, ...args].join(' ');
  }
  return commands;
}
