import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../../daemon/socket/listen.ts';
import { temporaryFolder } from '../../temporary.ts';

describe('the path of a listener', () => {
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
