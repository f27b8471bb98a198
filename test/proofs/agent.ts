import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const AGENT = join(import.meta.dirname, '../../dist/bin/keyhold-agent');
/** Milliseconds that an agent may take to answer after its start; beyond that it did not come up. */
export const UP_DEADLINE = 60_000;

/** An agent that a proof kills: the built one, in a home of the proof's own. */
export type ProofAgent = {
  readonly pid: number;
  /** Sends one request; answers the whole reply. Rejects when the agent goes first. */
  ask(...lines: string[]): Promise<string>;
  kill(): void;
  /** Settles when the process is gone. */
  readonly ended: Promise<unknown>;
};

/** Starts it and waits until it answers `status`. Throws with its stderr if it does not come up. */
export async function startProofAgent(home: string, environment: Record<string, string> = {}): Promise<ProofAgent> {
  const child: ChildProcess = spawn(AGENT, [], {
    cwd: '/',
    env: { PATH: process.env.PATH ?? '', KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close');
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (const until = performance.now() + UP_DEADLINE; ; await sleep(15)) {
    const wire = await dialWire(`${home}/run/agent.sock`).catch(() => undefined);
    const answer = await wire?.ask('action=status', 'capability[]=keyhold').catch(() => undefined);
    if (wire && answer?.startsWith('status=ok')) {
      return {
        pid: child.pid!,
        ask: wire.ask,
        ended,
        kill: () => {
          child.kill('SIGKILL');
        },
      };
    }
    if (!isOver && performance.now() < until) continue;
    child.kill('SIGKILL');
    await ended;
    throw new Error(`the agent did not come up: ${stderr}`);
  }
}

type Wire = { readonly ask: (...lines: string[]) => Promise<string> };

/** One connection for many requests, whose answers come in their order. */
async function dialWire(path: string): Promise<Wire> {
  const socket: Socket = connect(path);
  await once(socket, 'connect');
  const waiting: PromiseWithResolvers<string>[] = [];
  let rest = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const answers = `${rest}${text}`.split('\n\n');
    rest = answers.pop()!;
    for (const answer of answers) waiting.shift()?.resolve(answer);
  });
  let isClosed = false;
  const close = () => {
    isClosed = true;
    for (const one of waiting.splice(0)) one.reject(new Error('the agent has gone'));
  };
  socket.on('close', close).on('error', close);
  return {
    ask(...lines) {
      const answer = Promise.withResolvers<string>();
      if (isClosed) answer.reject(new Error('the agent has gone'));
      else {
        waiting.push(answer);
        socket.write(`${lines.join('\n')}\n\n`);
      }
      return answer.promise;
    },
  };
}

export const manage = (action: string, ...more: string[]) => [`action=${action}`, 'capability[]=keyhold', ...more];
