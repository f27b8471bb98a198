import { join } from 'node:path';
import { agent as launched } from '../../../scripts/build/launchers.ts';
import type { Measured } from '../figures.ts';
import { token } from '../fixture.ts';
import { dist, type Rig } from '../rig.ts';
import { median, ratioOf } from '../statistics.ts';
import { parseTfa, runTool } from '../tools.ts';

/** The empty program runs without flags: it is what anybody's `node empty.js` costs. */
const ACTIVATE = 'systemd-socket-activate';

/**
 * From spawn to the first correct answer out of a vault with key file and ten entries; and from the first connection
 * where systemd's helper holds the socket. `request` is the file with what a thin client sends.
 */
export async function measureStart(rig: Rig, request: string): Promise<Map<string, Measured>> {
  const { home, socket, stop } = await rig.agent('start', 'vault', 10);
  await stop();
  const empty = `${process.execPath} ${await rig.write('empty.js', '')}`;
  const place = `KEYHOLD_HOME=${home}`;
  const bare = [process.execPath, ...launched.flags, join(dist, 'lib', launched.bundle)].join(' ');
  const run = async (commands: readonly string[]) => {
    const rounds = String(rig.rounds(25));
    const args = ['-n', rounds, '-s', socket, '-q', request, '-e', token, ...commands];
    const all = parseTfa(await runTool(rig.folder, 'tfa', args, rig.env));
    for (const [name, { failures }] of all) if (failures > 0) throw new Error(`cannot measure ${name}: wrong answers`);
    return all;
  };
  const results = new Map<string, Measured>();
  const started = await run([
    ...['empty', 'exit', empty],
    ...['agent', 'answer', `${place} ${bare}`],
    ...['launched', 'answer', `${place} ${join(dist, 'bin', launched.program)}`],
  ]);
  const [none, agent, launcher] = ['empty', 'agent', 'launched'].map((name) => started.get(name)!.wall) as [
    number[],
    number[],
    number[],
  ];
  results.set('start/node', { value: ratioOf(agent, none), note: note(agent, none) });
  const cost = median(launcher.map((us, round) => (us - agent[round]!) / 1_000));
  results.set('start/launcher', { value: cost, note: 'with it less without it, by rounds' });
  try {
    const activated = await run([
      ...['empty', 'exit', empty],
      ...['agent', 'activate', `${ACTIVATE} -E ${place} -l ${socket} ${bare}`],
    ]);
    const [base, first] = [activated.get('empty')!.wall, activated.get('agent')!.wall];
    results.set('activation/node', { value: ratioOf(first, base), note: note(first, base) });
  } catch (error) {
    if (!String(error).includes(ACTIVATE)) throw error;
    results.set('activation/node', { missing: `needs ${ACTIVATE} (apt-get install systemd)` });
  }
  return results;
}

function note(ours: readonly number[], theirs: readonly number[]): string {
  const show = (wall: readonly number[]) => `${(median(wall) / 1_000).toFixed(1)} ms`;
  return `${show(ours)} against ${show(theirs)}, ${ours.length} rounds`;
}
