import { join } from 'node:path';
import type { Measured } from '../figures.ts';
import { question, token } from '../fixture.ts';
import { type PeerName, startPeers } from '../peers.ts';
import { type Agent, dist, HELPER, otherClients, type Rig, type Server } from '../rig.ts';
import { compare, compareMemory } from './compare.ts';

/** One get as a whole process: ours in its four forms, git's own cache, and what stands before a keyring. */
export async function measureGets(rig: Rig, agent: Agent, cache: Server): Promise<Map<string, Measured>> {
  const results = new Map<string, Measured>();
  const input = `<${await rig.write('question', question)}`;
  const words = (program: string) => `${input} KEYHOLD_HOME=${agent.home} ${program} get`;
  const git = `${input} git credential-cache --socket ${cache.socket} get`;
  const floor = await rig.floor();
  const ours = words(join(dist, 'bin', HELPER));
  const others = await otherClients(rig);

  // Apart from the slow ones, which would leave caches cold and processors asleep for what runs behind them.
  const fast: Record<string, string> = { git, ours, floor };
  for (const kind of ['static', 'dynamic'] as const) {
    const program = others.get(kind);
    if (program) fast[kind] = words(program);
    else results.set(`get/${kind}`, noCompiler).set(`memory/${kind}`, noCompiler);
  }
  const runs = await rig.pbench(rig.rounds(300), fast, token);
  const base = runs.get('git')!;
  results.set('get/cache', compare(runs.get('ours')!, base));
  results.set('floor/cache', compare(runs.get('floor')!, base));
  results.set('client/memory', compareMemory(runs.get('ours')!, base));
  for (const kind of ['static', 'dynamic'] as const) {
    const series = runs.get(kind);
    if (series) results.set(`get/${kind}`, compare(series, base)).set(`memory/${kind}`, compareMemory(series, base));
  }

  const slow = await rig.pbench(rig.rounds(40), { git, typescript: words(others.get('typescript')!) }, token);
  results.set('get/typescript', compare(slow.get('typescript')!, slow.get('git')!));
  results.set('memory/typescript', compareMemory(slow.get('typescript')!, slow.get('git')!));
  await measurePeers(rig, { floor, git, ours }, results);
  return results;
}

/** Git's own get stands between a slow peer and ours, so that ours does not begin on a machine that has just slept. */
async function measurePeers(
  rig: Rig,
  before: { readonly floor: string; readonly git: string; readonly ours: string },
  results: Map<string, Measured>,
): Promise<void> {
  await using peers = await startPeers(rig, ['libsecret', 'docker', 'gh']);
  const commands: Partial<Record<PeerName, string>> = {};
  for (const [name, peer] of peers.all) {
    if ('words' in peer) commands[name] = peer.words;
    else results.set(`get/${name}`, peer);
  }
  const runs = await rig.pbench(rig.rounds(60), { ...before, ...commands }, token);
  for (const name of Object.keys(commands)) {
    results.set(`get/${name}`, compare(runs.get('ours')!, runs.get(name)!));
    results.set(`floor/${name}`, compare(runs.get('floor')!, runs.get(name)!));
  }
}

const noCompiler: Measured = { missing: 'needs a C compiler that links statically (apt-get install gcc libc6-dev)' };
