import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, link, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { helper, writeLauncher } from '../../scripts/build/launchers.ts';
import { compileClient } from '../../scripts/build/native.ts';
import { fillAgent, fillCacheDaemon, question, target, token } from './fixture.ts';
import { type Load, parseLoad, parsePbench, runTool, type Series } from './tools.ts';

const execute = promisify(execFile);
/** The repository, and what the build put into it. */
export const root = join(import.meta.dirname, '../..');
export const dist = join(root, 'dist');
/** The name git calls the thin client by. */
export const HELPER = 'git-credential-keyhold';
/** Milliseconds that a server may take to listen. */
const START_DEADLINE = 15_000;

export type Server = { readonly socket: string; readonly pid: number; stop(): Promise<void> };
export type Agent = Server & { readonly home: string };

/** Where everything of one run of the benchmark lies, and what it started; both go when it is over. */
export class Rig {
  readonly folder: string;
  readonly quick: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly #started: Server[] = [];

  /** `folder` must be private and short; `quick` trades certainty for time. */
  constructor(folder: string, quick: boolean) {
    this.folder = folder;
    this.quick = quick;
    this.env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder, KEYHOLD_NO_AUTOSTART: '1' };
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** A number of rounds, or a tenth of it when it has to be quick. */
  rounds(full: number): number {
    return this.quick ? Math.max(3, Math.round(full / 10)) : full;
  }

  async write(name: string, text: string): Promise<string> {
    const path = this.path(name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  /** A folder that serves as KEYHOLD_HOME, configured for `backend` and by `more`. */
  async home(name: string, backend: 'memory' | 'vault', more: object = {}): Promise<string> {
    const home = this.path(name);
    await mkdir(join(home, 'config'), { recursive: true, mode: 0o700 });
    await writeFile(join(home, 'config/config.json'), JSON.stringify({ backend, ...more }), { mode: 0o600 });
    return home;
  }

  /** Starts the built agent by its launcher in a home of its own, and lets it hold `count` credentials. */
  async agent(name: string, backend: 'memory' | 'vault', count: number, more: object = {}): Promise<Agent> {
    const home = await this.home(name, backend, more);
    const server = await this.#serve(join(dist, 'bin/keyhold-agent'), [], join(home, 'run/agent.sock'), {
      KEYHOLD_HOME: home,
    });
    if (count > 0) await fillAgent(server.socket, count);
    return { ...server, home };
  }

  /** Starts git's own cache daemon, and lets it hold `count` credentials. */
  async cacheDaemon(name: string, count: number): Promise<Server> {
    await mkdir(this.path(name), { mode: 0o700 });
    const { stdout } = await execute('git', ['--exec-path']);
    const program = join(stdout.trim(), 'git-credential-cache--daemon');
    const socket = this.path(name, 's');
    const server = await this.#serve(program, [socket], socket, {});
    await fillCacheDaemon(socket, count);
    return server;
  }

  /** pbench's words for a get that costs the least that this machine allows: a server that answers the same to all. */
  async floor(): Promise<string> {
    const socket = this.path('floor.s');
    const program = this.path('floor');
    const reply = await this.write('reply', `username=${target.username}\npassword=${token}\n`);
    await this.#serve(program, ['serve', socket, reply], socket, {});
    return `<${await this.write('question', question)} ${program} ask ${socket}`;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.map((server) => server.stop()));
  }

  /** Interleaved whole-process runs, checked for `expected`; throws if one of them failed. */
  async pbench(
    rounds: number,
    commands: Readonly<Record<string, string>>,
    expected: string,
  ): Promise<Map<string, Series>> {
    const args = ['-n', String(rounds), '-e', expected, ...Object.entries(commands).flat()];
    const all = parsePbench(await runTool(this.folder, 'pbench', args, this.env));
    for (const [name, { failures }] of all) {
      if (failures > 0) throw new Error(`cannot measure ${name}: ${failures} of ${rounds} answers were wrong`);
    }
    return all;
  }

  /** One burst of load; throws if an answer was wrong. */
  async load({ socket, pid }: Server, args: readonly string[]): Promise<Load> {
    return parseLoad(
      await runTool(this.folder, 'loadgen', ['-s', socket, '-p', String(pid), '-c', '32', ...args], this.env),
    );
  }

  /**
   * The bytes that a thin client sends for `get`: a listener of ours takes them down from the real program, so that
   * the load is what git causes, and not what we believe it to be.
   */
  async recordRequest(program: string): Promise<string> {
    const home = await this.home('recorded', 'memory');
    await mkdir(join(home, 'run'), { mode: 0o700 });
    const received: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        received.push(bytes);
        if (Buffer.concat(received).includes('\ni000000\n')) socket.end('x0\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(join(home, 'run/agent.sock'), resolve));
    const child = execFile(program, ['get'], { env: { ...this.env, KEYHOLD_HOME: home }, cwd: this.folder });
    child.stdin!.end(question);
    await once(child, 'exit');
    server.close();
    const path = this.path('run-request');
    await writeFile(path, Buffer.concat(received));
    return path;
  }

  async #serve(program: string, args: string[], socket: string, env: Record<string, string>): Promise<Server> {
    const child = spawn(program, args, { env: { ...this.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
    const deadline = Date.now() + START_DEADLINE;
    while (!(await exists(socket))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`cannot start ${program}`);
      await sleep(20);
    }
    // bind(2) makes the path before listen(2) makes it answer.
    await sleep(50);
    const server = { socket, pid: child.pid!, stop: () => end(child) };
    this.#started.push(server);
    return server;
  }
}

/** The other forms of the thin client, each under git's name in a folder of its own. Answers those that could be made. */
export async function otherClients(rig: Rig): Promise<Map<'static' | 'dynamic' | 'typescript', string>> {
  const made = new Map<'static' | 'dynamic' | 'typescript', string>();
  for (const only of ['static', 'dynamic'] as const) {
    await mkdir(rig.path(only));
    const program = rig.path(only, HELPER);
    if (compileClient(root, program, '0.0.0', { only })) made.set(only, program);
  }
  const bin = rig.path('typescript', 'bin');
  await mkdir(bin, { recursive: true });
  await symlink(join(dist, 'lib'), rig.path('typescript', 'lib'));
  await symlink(process.execPath, rig.path('typescript', 'node'));
  await writeLauncher(bin, helper);
  await link(join(bin, helper.program), join(bin, HELPER)).catch(() =>
    copyFile(join(bin, helper.program), join(bin, HELPER)),
  );
  made.set('typescript', join(bin, HELPER));
  return made;
}

/** MiB of a process that are in memory now (proc(5), VmRSS). */
export async function residentMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
