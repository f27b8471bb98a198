import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../daemon/socket/listen.ts';
import { temporaryFolder } from '../../temporary.ts';

/** A path on which a program listened that was killed: connect(2) is refused there. */
async function killedListener(path: string): Promise<void> {
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('listens'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the path of a listener', () => {
  it('that a killed agent left is taken although our own work blocks the loop for long', async () => {
    const path = join(aFolder(), 'agent.sock');
    await killedListener(path);
    const listening = listen(path, undefined, () => {});
    // Longer than any deadline that the look at the path could have: the refusal is seen after it, and counts.
    for (const end = performance.now() + 1_500; performance.now() < end; );
    const listener = await listening;
    expect(listener.isReachable()).toBe(true);
    await listener.close();
  });

  it('that another program serves is refused, also where its queue is full', async () => {
    const path = join(aFolder(), 'agent.sock');
    const other = createServer();
    await new Promise<void>((resolve) => other.listen({ path, backlog: 1 }, resolve));
    onTestFinished(() => void other.close());
    await expect(listen(path, undefined, () => {})).rejects.toMatchObject({ code: 'foreign_listener' });
    // It listens and never accepts: its loop stands still.
    const program = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
      require('fs').writeSync(1, 'listens');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
    })`;
    const full = `${path}-full`;
    const child = spawn(process.execPath, ['-e', program, full], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const waiting = Array.from({ length: 3 }, () => connect(full).on('error', () => {}));
    onTestFinished(() => waiting.forEach((socket) => void socket.destroy()));
    await expect(listen(full, undefined, () => {})).rejects.toMatchObject({ code: 'foreign_listener' });
  });

  function aFolder(): string {
    const folder = temporaryFolder('listen');
    onTestFinished(() => folder.remove());
    return folder.path;
  }

  it('is removed with it', async () => {
    const path = join(aFolder(), 'agent.sock');
    const listener = await listen(path, undefined, () => {});
    expect(listener.isReachable()).toBe(true);
    await listener.close();
    expect(existsSync(path)).toBe(false);
  });

  it('is left alone where another one has taken its place', async () => {
    const folder = join(aFolder(), 'run');
    mkdirSync(folder, { mode: 0o700 });
    const path = join(folder, 'agent.sock');
    const first = await listen(path, undefined, () => {});
    // Not removed: the inode would be given out again, perhaps to the second.
    renameSync(folder, `${folder}-before`);
    mkdirSync(folder, { mode: 0o700 });
    const second = await listen(path, undefined, () => {});
    expect(first.isReachable()).toBe(false);
    await first.close();
    expect(existsSync(path)).toBe(true);
    expect(second.isReachable()).toBe(true);
    await second.close();
  });
});
