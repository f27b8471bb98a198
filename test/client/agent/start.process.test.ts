import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { startAgent } from '../../../client/agent/start.ts';
import { stopAgent } from '../../../client/agent/stop.ts';
import { until } from '../../../client/agent/until.ts';
import type { Ground } from '../../../client/install/ground.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn } from '../home.ts';

/** The agent in one file (bundles.ts). */
const MAIN = join(inject('bundles'), 'agent.cjs');

describe('start and stop', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let ground: Ground;
  beforeEach(() => {
    folder = temporaryFolder('start');
    ground = groundIn(folder.path);
  });
  afterEach(() => {
    for (const pid of started()) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    folder.remove();
  });

  /** Every process that was started, also one that came late to its race and is the agent now. */
  const started = () =>
    readFileSync(join(folder.path, 'started'), { encoding: 'utf8', flag: 'a+' })
      .split('\n')
      .filter(Boolean)
      .map(Number);
  const isRunning = (pid: number) => existsSync(`/proc/${pid}/exe`);

  const program = (script: string) => {
    const path = join(folder.path, 'program');
    writeFileSync(path, `#!/bin/sh\necho $$ >> '${folder.path}/started'\n${script}\n`, { mode: 0o755 });
    return path;
  };

  it('brings the agent up, finds it running, ends it, and finds it ended', async () => {
    const agent = program(`exec '${process.execPath}' '${MAIN}'`);
    const first = await startAgent(ground, agent);
    expect(first).toMatchObject({ wasRunning: false, agent: { kind: 'running', state: 'open' } });
    expect(await startAgent(ground, agent)).toMatchObject({ wasRunning: true, agent: { pid: first.agent.pid } });
    expect(await stopAgent(ground)).toEqual({ pid: first.agent.pid });
    expect(await stopAgent(ground)).toEqual({ pid: undefined });
  });

  it('comes up once when many start it at once', async () => {
    const agent = program(`exec '${process.execPath}' '${MAIN}'`);
    const started = await Promise.all([1, 2, 3, 4].map(() => startAgent(ground, agent)));
    expect(new Set(started.map(({ agent: { pid } }) => pid)).size).toBe(1);
    await stopAgent(ground);
  });

  it('ends by itself when its socket was taken away', { timeout: 30_000 }, async () => {
    const { agent } = await startAgent(ground, program(`exec '${process.execPath}' '${MAIN}'`));
    rmSync(ground.places.run, { recursive: true });
    expect(await until(() => !existsSync(`/proc/${agent.pid}/exe`), 20_000)).toBe(true);
  });

  it('says in the words of the agent why it did not come up', async () => {
    const agent = program('echo "keyhold-agent: cannot start: it rains" >&2; exit 1');
    await expect(startAgent(ground, agent)).rejects.toThrow(
      'cannot start the agent: cannot start: it rains; see: keyhold logs',
    );
    expect(readdirSync(ground.places.state)).toEqual([]);
  });

  it('says how it ended where the agent said nothing', async () => {
    await expect(startAgent(ground, program('kill -9 $$'))).rejects.toThrow('it ended with SIGKILL');
    const missing = join(ground.places.state, 'missing');
    await expect(startAgent(ground, missing)).rejects.toThrow(`${missing} gives ENOENT`);
  });
});
