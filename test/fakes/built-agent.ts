import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from '../temporary.ts';

export const DIST = join(import.meta.dirname, '../../dist');
/** What the build could make: `client` in which form, and whether there is the addon. */
export const BUILT: { readonly client: string; readonly addon: boolean } = JSON.parse(
  readFileSync(join(DIST, 'lib/build.json'), 'utf8'),
);
if (process.env.CI === 'true' && !BUILT.addon) {
  throw new Error('dist has no addon; get a C compiler by: apt-get install gcc libc6-dev');
}
const AGENT = join(DIST, 'bin/keyhold-agent');
/** Milliseconds that an agent may take to listen, and any exchange with it to end. */
const DEADLINE = 25_000;

export type AgentOptions = {
  /** A KEYHOLD_HOME of the test's own; without it a fresh one. */
  readonly home?: string;
  readonly environment?: Record<string, string>;
  /** A command that runs the agent: `['sh', '-c', 'ulimit -n 100; exec "$0"']`. */
  readonly under?: readonly string[];
};

/** The built agent as a process of its own, as `npm run build` made it. */
export type BuiltAgent = AsyncDisposable & {
  readonly home: string;
  readonly socket: string;
  readonly pid: number;
  /** Settles with the exit code, or the signal's name, when it has ended. */
  readonly ended: Promise<number | string>;
  readonly stderr: () => string;
  /** Sends lines and the end, and answers all that comes until the agent closes. */
  ask(...lines: string[]): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** What the log file holds. */
  log(): string;
  /** Resident memory in KiB (proc(5), VmRSS). */
  rss(): number;
};

/** Starts it without waiting, for agents that are to refuse. */
export function launchAgent({ home = aHome(), environment = {}, under = [] }: AgentOptions = {}): BuiltAgent {
  const [program = AGENT, ...args] = [...under, AGENT];
  const child: ChildProcess = spawn(program, args, {
    cwd: '/',
    env: { PATH: process.env.PATH, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.on('error', (error) => resolve(error.message));
  });
  const socket = `${home}/run/agent.sock`;
  return {
    home,
    socket,
    pid: child.pid!,
    ended,
    stderr: () => stderr,
    ask: (...lines) => exchange(socket, lines),
    kill: (signal) => {
      child.kill(signal);
    },
    log: () => {
      const file = `${home}/state/agent.log`;
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    },
    rss: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))![1]),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Starts it and waits until it answers. */
export async function startAgent(options: AgentOptions = {}): Promise<BuiltAgent> {
  const agent = launchAgent(options);
  let over: number | string | undefined;
  void agent.ended.then((code) => {
    over = code;
  });
  for (const deadline = Date.now() + DEADLINE; ; await sleep(20)) {
    const answer = await agent.ask(...status).catch(() => '');
    if (answer.includes('status=ok')) return agent;
    if (over === undefined && Date.now() < deadline) continue;
    await agent[Symbol.asyncDispose]();
    throw new Error(`the agent did not come up (${over}): ${agent.stderr()}`);
  }
}

/** A fresh KEYHOLD_HOME for one test, whose agent uses the vault, whatever keyring the machine has. */
export function aHome(backend = 'vault'): string {
  const { path, remove } = temporaryFolder('agent');
  onTestFinished(remove);
  // A call of a service leaves this machine: what a test asks by mistake is refused instead.
  configure(path, { backend, upstream: { offline: 'on' } });
  return path;
}

export function configure(home: string, config: object): void {
  mkdirSync(`${home}/config`, { recursive: true, mode: 0o700 });
  writeFileSync(`${home}/config/config.json`, JSON.stringify(config), { mode: 0o600 });
}

export const status = ['action=status', 'capability[]=keyhold'] as const;
export function get(host: string, ...more: string[]): string[] {
  return ['action=get', 'capability[]=keyhold', 'protocol=https', `host=${host}`, ...more];
}
export function store(host: string, password: string, username = 'ada'): string[] {
  return [
    'action=store',
    'capability[]=keyhold',
    'protocol=https',
    `host=${host}`,
    `username=${username}`,
    `password=${password}`,
  ];
}

/** One connection, one request, half-closed; all that comes back. */
export function exchange(path: string, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer within ${DEADLINE} ms`));
    }, DEADLINE);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('end', () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    });
    socket.end(lines.map((line) => `${line}\n`).join(''));
  });
}

/** A connection that says nothing by itself. Tries again while the queue of newcomers is full (EAGAIN). */
export async function open(path: string): Promise<Socket> {
  for (;;) {
    try {
      return await openOnce(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await sleep(5);
    }
  }
}

function openOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
