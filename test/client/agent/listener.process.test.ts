import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenerOn } from '../../../client/agent/listener.ts';
import { presenceOn } from '../../../client/agent/presence.ts';
import { startAgent } from '../../../client/agent/start.ts';
import { stopAgent } from '../../../client/agent/stop.ts';
import { until } from '../../../client/agent/until.ts';
import { uninstall } from '../../../client/install/uninstall.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { groundIn } from '../home.ts';

const CACHE_DAEMON = '/usr/lib/git-core/git-credential-cache--daemon';

describe('who listens on the socket', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder('listener');
  });
  afterEach(() => folder.remove());

  it('is told by its pid and program', async () => {
    const path = join(folder.path, 'a socket');
    expect(listenerOn(path)).toBeUndefined();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    expect(listenerOn(path)).toMatchObject({ pid: process.pid });
    await new Promise((resolve) => server.close(resolve));
    expect(listenerOn(path)).toBeUndefined();
  });

  it.skipIf(!need('git', 'apt-get install git') || !existsSync(CACHE_DAEMON))(
    "is named and left alone when it is git's own cache daemon",
    async () => {
      const ground = groundIn(folder.path);
      const { agentSocket, run } = ground.places;
      mkdirSync(run, { recursive: true, mode: 0o700 });
      const daemon = spawn(CACHE_DAEMON, [agentSocket], { stdio: 'ignore' });
      try {
        expect(await until(() => existsSync(agentSocket), 5_000)).toBe(true);
        expect(await presenceOn(ground)).toEqual({
          kind: 'foreign',
          listener: { pid: daemon.pid, name: 'git-credential-cache--daemon' },
        });
        const named = { code: 'foreign_listener', message: expect.stringContaining(`(pid ${daemon.pid})`) };
        await expect(startAgent(ground, '/bin/true')).rejects.toMatchObject(named);
        await expect(stopAgent(ground)).rejects.toMatchObject(named);
        await expect(uninstall(ground, { purge: true, agent: '/bin/true' })).rejects.toMatchObject(named);
        await expect(stopAgent(ground)).rejects.toThrow(`git credential-cache --socket ${agentSocket} exit`);
        expect(existsSync(agentSocket)).toBe(true);
        expect(daemon.exitCode).toBeNull();
      } finally {
        daemon.kill();
      }
    },
  );
});
