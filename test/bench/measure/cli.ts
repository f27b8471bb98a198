import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cli } from '../../../scripts/build/launchers.ts';
import type { Measured } from '../figures.ts';
import { target } from '../fixture.ts';
import { type Agent, dist, type Rig } from '../rig.ts';
import { median, ratioOf } from '../statistics.ts';

const execute = promisify(execFile);
/** What bash tells of a command's processor time, in seconds. */
const TIMED = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null';

const commands = {
  'cli/list': ['token', 'list'],
  'cli/explain': ['token', 'explain', '--for', `https://${target.host}`],
} as const;

/** The processor time of commands for people, theirs and the agent's together, against that of an empty node in the same rounds. */
export async function measureCli(rig: Rig, many: Agent): Promise<Map<string, Measured>> {
  const empty = [process.execPath, await rig.write('empty.js', '')];
  const program = [process.execPath, ...cli.flags, join(dist, 'lib', cli.bundle)];
  const env = { ...rig.env, KEYHOLD_HOME: many.home };
  const cpu = async (command: readonly string[]) => {
    const before = await spentBy(many.pid);
    const { stderr } = await execute('bash', ['-c', TIMED, 'bash', ...command], { env, cwd: rig.folder });
    const times = stderr.trim().split(/\s+/).map(Number);
    if (times.length !== 2 || times.some(Number.isNaN)) throw new Error(`cannot measure ${command.at(-1)}: ${stderr}`);
    return (times[0]! + times[1]!) * 1_000 + (await spentBy(many.pid)) - before;
  };
  const spent: Record<string, number[]> = { empty: [], 'cli/list': [], 'cli/explain': [] };
  for (let round = rig.rounds(20); round > 0; round--) {
    spent['empty']!.push(await cpu(empty));
    for (const [id, words] of Object.entries(commands)) spent[id]!.push(await cpu([...program, ...words]));
  }
  const none = spent['empty']!;
  const show = (times: readonly number[]) => `${median(times).toFixed(0)} ms`;
  return new Map(
    Object.keys(commands).map((id) => {
      const ours = spent[id]!;
      return [id, { value: ratioOf(ours, none), note: `${show(ours)} against ${show(none)}, ${ours.length} rounds` }];
    }),
  );
}

/** Milliseconds of processor time that all threads of a process have had. */
async function spentBy(pid: number): Promise<number> {
  let nanoseconds = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').catch(() => '0');
    nanoseconds += Number(text.split(' ')[0]);
  }
  return nanoseconds / 1_000_000;
}
