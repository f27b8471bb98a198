import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Measured } from '../figures.ts';
import { question, token } from '../fixture.ts';
import { type Agent, dist, type Rig, type Server } from '../rig.ts';
import { median, ratioOf } from '../statistics.ts';

const run = promisify(execFile);

/** `git credential fill`, end to end, with what `keyhold setup git` writes and with git's own cache. */
export async function measureFill(rig: Rig, agent: Agent, cache: Server): Promise<Map<string, Measured>> {
  const config = await setUpGit(rig, agent);
  const cacheConfig = await rig.write('cache.gitconfig', `[credential]\n\thelper = cache --socket ${cache.socket}\n`);
  const input = `<${await rig.write('question', question)}`;
  const fill = (file: string, more = '') =>
    `${input} GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 GIT_CONFIG_GLOBAL=${file} ${more} git credential fill`;
  const runs = await rig.pbench(
    rig.rounds(150),
    { cache: fill(cacheConfig), ours: fill(config, `KEYHOLD_HOME=${agent.home}`) },
    token,
  );
  const [ours, theirs] = [runs.get('ours')!.wall, runs.get('cache')!.wall];
  const show = (wall: readonly number[]) => `${(median(wall) / 1_000).toFixed(2)} ms`;
  const note = `${show(ours)} against ${show(theirs)}, ${ours.length} rounds`;
  return new Map([['fill/cache', { value: ratioOf(ours, theirs), note }]]);
}

/** The configuration that a person gets: the command writes it into a home folder of its own. */
async function setUpGit(rig: Rig, agent: Agent): Promise<string> {
  const home = rig.path('person');
  await mkdir(home, { mode: 0o700 });
  const env = { ...rig.env, HOME: home, KEYHOLD_HOME: agent.home };
  await run(join(dist, 'bin/keyhold'), ['setup', 'git', '--here'], { env });
  return join(home, '.gitconfig');
}
