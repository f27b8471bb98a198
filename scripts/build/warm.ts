import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the agent is asked once, so that the code of a request is among what is kept compiled. */
const REQUEST = 'action=get\nprotocol=https\nhost=warm.invalid\n\n';
/** Milliseconds for one program to start, do its work and end. */
const PATIENCE = 5_000;

/**
 * Runs each program once, from where it will lie, so that the compile cache of dist/lib is full: the first start on a
 * machine is then as fast as all others. It costs nothing but that if a program cannot run here.
 */
export async function warm(dist: string, built: readonly string[]): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'keyhold-build-'));
  try {
    await Promise.all([
      built.includes('agent') ? warmAgent(dist, home) : undefined,
      built.includes('cli') ? run(join(dist, 'bin/keyhold'), ['--version'], home) : undefined,
    ]);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function warmAgent(dist: string, home: string): Promise<void> {
  const child = start(join(dist, 'bin/keyhold-agent'), [], home);
  const ended = once(child, 'exit');
  const until = Date.now() + PATIENCE;
  const socket = join(home, 'run/agent.sock');
  while (child.exitCode === null && Date.now() < until && !(await ask(socket))) await sleep(10);
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(PATIENCE, undefined, { ref: false })]);
  if (child.exitCode === null) child.kill('SIGKILL');
}

/** True once somebody has answered at `path`. */
function ask(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.end(REQUEST));
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

async function run(program: string, args: readonly string[], home: string): Promise<void> {
  const child = start(program, args, home);
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  await once(child, 'exit');
  clearTimeout(timer);
}

function start(program: string, args: readonly string[], home: string) {
  const environment = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, KEYHOLD_HOME: home };
  return spawn(program, args, { stdio: 'ignore', env: { ...environment, KEYHOLD_NO_AUTOSTART: '1' } });
}
