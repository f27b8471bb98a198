import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock, takeStateLock, writeHolder } from '../../../daemon/socket/lock.ts';
import { temporaryFolder } from '../../temporary.ts';

let state: string;
let remove: () => void;
beforeEach(() => {
  ({ path: state, remove } = temporaryFolder('lock'));
});
afterEach(() => remove());

describe('the lock of a state folder', () => {
  it('is waited for by a successor although the holder’s socket is there, and the event loop turns meanwhile', async () => {
    const holder = takeLock(`${state}/agent.lock`);
    mkdirSync(join(state, 'run'));
    writeFileSync(join(state, 'run/agent.sock'), '');
    writeHolder(state, { pid: process.pid, socketFolder: join(state, 'run') });
    const taken = takeStateLock(state, { ending: 30_000, isSuccessor: true });
    let turns = 0;
    for (const end = performance.now() + 200; performance.now() < end; turns++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(turns).toBeGreaterThan(10);
    holder[Symbol.dispose]();
    using _ = await taken;
    expect(() => takeLock(`${state}/agent.lock`)).toThrow('another agent serves these folders');
  });

  it('is not waited for by any other agent while its holder serves, whose pid and folder are named', async () => {
    using _ = takeLock(`${state}/agent.lock`);
    mkdirSync(join(state, 'run'));
    writeFileSync(join(state, 'run/agent.sock'), '');
    writeHolder(state, { pid: 4242, socketFolder: join(state, 'run') });
    const refused = takeStateLock(state, { ending: 30_000, isSuccessor: false });
    await expect(refused).rejects.toThrow(`pid 4242, with its sockets in ${state}/run`);
  });

  it('is waited for by any other agent once the holder’s socket is gone, up to its deadline', async () => {
    using _ = takeLock(`${state}/agent.lock`);
    writeHolder(state, { pid: 4242, socketFolder: join(state, 'gone') });
    await expect(takeStateLock(state, { ending: 50, isSuccessor: false })).rejects.toThrow('pid 4242');
  });
});
