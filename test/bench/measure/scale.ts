import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import type { Measured } from '../figures.ts';
import { dist, type Rig } from '../rig.ts';
import { percentile } from '../statistics.ts';

/** Milliseconds between two gets: a busy machine's tools, not a load test. */
const PAUSE = 2;
/** Gets that are timed at rest. */
const AT_REST = 2_000;
const DEADLINE = 900_000;
const PASSPHRASE = 'a passphrase EXAMPLE';

/**
 * An agent with a generated vault of 100,000 (a tenth where it has to be quick): from spawn to listening, and how long gets take
 * while it opens, backs up, restores and migrates, against the same agent at rest. Every get is checked and asks for another host.
 */
export async function measureScale(rig: Rig): Promise<Map<string, Measured>> {
  const count = rig.quick ? 10_000 : 100_000;
  const results = new Map<string, Measured>();
  const home = await rig.home('scale', 'vault');
  await generateVault(join(home, 'state'), count);
  // As version 0.1 left it: which record belongs to which host is noted at the first opening.
  for (const suffix of ['', '-wal', '-journal']) rmSync(join(home, `state/vault.hosts${suffix}`), { force: true });

  const first = await start(rig, home);
  const began = performance.now();
  const waited = await firstGet(first.socket);
  await opened(first.socket);
  const firstOpening = performance.now() - began;
  results.set('scale/listen', {
    value: first.listening,
    note: `${count.toLocaleString('en-US')} credentials; first opening ${seconds(firstOpening)}`,
  });
  results.set('scale/first', { value: waited, note: `of ${seconds(firstOpening)} that the opening took` });
  const rest = await gets(first.socket, count, AT_REST);
  await first.kill();

  const agent = await start(rig, home);
  results.set('scale/opening', await against(rest, agent.socket, count, () => opened(agent.socket)));

  const file = rig.path('scale.backup');
  results.set('scale/backup', await against(rest, agent.socket, count, () => command(rig, home, 'backup', file)));

  // The backup holds the same hosts: what is asked for is there from the beginning.
  const other = await rig.home('scale-restored', 'vault');
  await generateVault(join(other, 'state'), 100);
  const empty = await start(rig, other);
  await opened(empty.socket);
  results.set('scale/restore', await against(rest, empty.socket, 100, () => command(rig, other, 'restore', file)));
  await empty.kill();

  results.set(
    'scale/migrate',
    await against(rest, agent.socket, count, async () => {
      await command(rig, home, 'backend', 'migrate', 'memory', '--yes');
      await command(rig, home, 'backend', 'migrate', 'vault', '--yes');
    }),
  );
  await agent.kill();
  return results;
}

async function generateVault(folder: string, count: number): Promise<void> {
  const vault = await openVault({ folder, keep: heapSecret });
  const secret = secretFromText('ghp_0123456789abcdefghijklmnopqrsEXAMPLE');
  const items = Array.from({ length: count }, (_, index) => ({
    held: {
      ...{ protocol: 'https', host: hostOf(index), username: `user${index}` },
      id: index.toString(16).padStart(20, '0'),
      storedAt: 1_700_000_000 + index,
    },
    secrets: { secret },
  }));
  await vault.putAll!(items);
  await vault.dispose();
}

function hostOf(index: number): string {
  return `h${String(index).padStart(6, '0')}.example.com`;
}

type Started = { readonly socket: string; readonly listening: number; kill(): Promise<void> };

/** Starts the built agent, and notes the milliseconds until a connection is accepted. */
async function start(rig: Rig, home: string): Promise<Started> {
  const began = performance.now();
  const socket = join(home, 'run/agent.sock');
  const child = spawn(join(dist, 'bin/keyhold-agent'), [], {
    env: { ...rig.env, KEYHOLD_HOME: home },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (;;) {
    const connection = await dialled(socket).catch(() => undefined);
    connection?.destroy();
    if (connection) break;
    if (child.exitCode !== null || performance.now() - began > 60_000) throw new Error('cannot start the agent');
    await sleep(5);
  }
  return {
    socket,
    listening: performance.now() - began,
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Settles when the agent is open. */
async function opened(socket: string): Promise<void> {
  const connection = await dialled(socket);
  for (const end = performance.now() + DEADLINE; performance.now() < end; await sleep(100)) {
    const answer = await ask(connection, 'action=progress\ncapability[]=keyhold\n\n');
    if (answer.includes('state=open\n')) {
      connection.destroy();
      return;
    }
  }
  throw new Error('the agent does not open');
}

/** The 99th percentile of gets while `work` runs, in relation to that at rest. */
async function against(rest: number[], socket: string, count: number, work: () => Promise<unknown>): Promise<Measured> {
  const working = work();
  const began = performance.now();
  let isOver = false;
  const ended = working.finally(() => {
    isOver = true;
  });
  const during = await gets(socket, count, Number.POSITIVE_INFINITY, () => isOver);
  await ended;
  const [busy, idle] = [percentile(during, 0.99), percentile(rest, 0.99)];
  const all = `median ${milliseconds(percentile(during, 0.5))}, longest ${milliseconds(Math.max(...during))}`;
  return {
    value: busy / idle,
    note: `p99 ${milliseconds(busy)} against ${milliseconds(idle)}, ${all}; ${during.length} gets in ${seconds(performance.now() - began)}`,
  };
}

/** Milliseconds until a get is answered with its value, asked again each time that the agent says it is still opening. */
async function firstGet(socket: string): Promise<number> {
  const connection = await dialled(socket);
  const began = performance.now();
  for (;;) {
    const answer = await ask(connection, `action=get\ncapability[]=keyhold\nprotocol=https\nhost=${hostOf(0)}\n\n`);
    if (answer.includes('EXAMPLE')) break;
    if (!answer.includes('opening')) throw new Error(`a get was answered: ${answer.trim()}`);
  }
  connection.destroy();
  return performance.now() - began;
}

/** Milliseconds of gets one after the other, each for another host and each checked. */
async function gets(socket: string, count: number, most: number, isOver = () => false): Promise<number[]> {
  const connection = await dialled(socket);
  const all: number[] = [];
  for (let number = 0; number < most && (number === 0 || !isOver()); number++) {
    const host = hostOf((number * 7_919) % count);
    const began = performance.now();
    const answer = await ask(connection, `action=get\ncapability[]=keyhold\nprotocol=https\nhost=${host}\n\n`);
    all.push(performance.now() - began);
    if (!answer.includes('EXAMPLE')) throw new Error(`a get was answered: ${answer.trim()}`);
    await sleep(PAUSE);
  }
  connection.destroy();
  return all;
}

async function dialled(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.setEncoding('latin1');
  return socket;
}

async function ask(socket: Socket, request: string): Promise<string> {
  socket.write(request);
  let answer = '';
  while (!answer.endsWith('\n\n')) {
    const [text] = (await once(socket, 'data')) as [string];
    answer += text;
  }
  return answer;
}

async function command(rig: Rig, home: string, ...words: string[]): Promise<void> {
  const needsPassphrase = words[0] !== 'backend';
  const child = spawn(join(dist, 'bin/keyhold'), [...words, ...(needsPassphrase ? ['--stdin'] : [])], {
    env: { ...rig.env, KEYHOLD_HOME: home },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(needsPassphrase ? `${PASSPHRASE}\n` : '');
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`keyhold ${words[0]} ended with ${code}`);
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function seconds(value: number): string {
  return `${(value / 1_000).toFixed(1)} s`;
}
