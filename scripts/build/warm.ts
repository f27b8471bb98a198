import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agent, cli, type Launched } from './launchers.ts';
import { CODE_CACHE } from './start-file.ts';

const question = 'protocol=https\nhost=warm.invalid\n';
/** What an agent has to answer, so that the code for it is kept: a store, and a get as the thin client sends it for git. */
const STORE = `action=store\ncapability[]=keyhold\n${question}username=warm\npassword=warm-EXAMPLE\n\n`;
const GET = `action=run\nname=git-credential-keyhold\nargument[]=get\ncwd=/\nversion=0\n\ni${question.length + 1}\n${question}\ni0\n`;
/** Commands that are run often, and that many others share most of their code with. */
const COMMANDS = 'token list , token explain --for https://warm.invalid , status , --version';
/** Milliseconds for one program to start, do its work and end. */
const PATIENCE = 15_000;

/**
 * Runs the programs that start often, so that the code of a whole run is kept below `fresh`, where the build puts things
 * together. It costs nothing but that if a program cannot run here. Of the agent it is the second start, with what it
 * holds by then: to read a vault is what it begins with.
 */
export async function warm(fresh: string, built: readonly string[]): Promise<void> {
  if (!built.includes('agent') || !built.includes('cli')) return;
  const lib = join(fresh, 'lib');
  const home = await mkdtemp(join(tmpdir(), 'keyhold-build-'));
  const run = (launched: Launched, words = '') => {
    const args = [
      ...launched.flags,
      join(import.meta.dirname, 'keep-code.ts'),
      lib,
      launched.bundle.replace('.cjs', ''),
    ];
    const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, KEYHOLD_HOME: home };
    return spawn(process.execPath, [...args, ...words.split(' ')], {
      stdio: 'ignore',
      env: { ...environment, KEYHOLD_NO_AUTOSTART: '1' },
    });
  };
  const serve = async (request: string, meanwhile?: () => Promise<void>) => {
    const child = run(agent);
    const ended = once(child, 'exit');
    const until = Date.now() + PATIENCE;
    const socket = join(home, 'run/agent.sock');
    while (child.exitCode === null && Date.now() < until && !(await ask(socket, request))) await sleep(10);
    await meanwhile?.();
    child.kill('SIGTERM');
    await withinPatience(child, ended);
  };
  try {
    await mkdir(join(lib, CODE_CACHE));
    await mkdir(join(home, 'config'), { mode: 0o700 });
    // Never the person's own keyring.
    await writeFile(join(home, 'config/config.json'), '{"backend":"vault"}', { mode: 0o600 });
    await serve(STORE, async () => {
      const child = run(cli, COMMANDS);
      await withinPatience(child, once(child, 'exit'));
    });
    await serve(GET);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function withinPatience(child: ReturnType<typeof spawn>, ended: Promise<unknown>): Promise<void> {
  await Promise.race([ended, sleep(PATIENCE, undefined, { ref: false })]);
  if (child.exitCode === null) child.kill('SIGKILL');
}

/** True once somebody has answered at `path`. */
function ask(path: string, request: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.end(request));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.resume();
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(connected));
  });
}
