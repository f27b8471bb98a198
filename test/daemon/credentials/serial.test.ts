import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Serial } from '../../../daemon/credentials/serial.ts';

describe('Serial', () => {
  it('runs the tasks of one key in their order, and those of others beside them', async () => {
    const serial = new Serial();
    const seen: string[] = [];
    const task = (name: string, milliseconds: number) => async () => {
      await sleep(milliseconds);
      seen.push(name);
    };
    await Promise.all([
      serial.run('one', task('one slow', 30)),
      serial.run('one', task('one quick', 0)),
      serial.run('other', task('other', 5)),
    ]);
    expect(seen).toEqual(['other', 'one slow', 'one quick']);
  });

  it('tells a failure to its own caller only', async () => {
    const serial = new Serial();
    const failed = serial.run('key', async () => {
      throw new Error('mine');
    });
    const next = serial.run('key', async () => 'done');
    await expect(failed).rejects.toThrow('mine');
    expect(await next).toBe('done');
    await serial.idle();
  });
});
