import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Breaker } from '../../../../daemon/backends/keyring/breaker.ts';
import { Burst } from '../../../../daemon/backends/keyring/burst.ts';
import { temporaryFolder } from '../../../temporary.ts';

describe('a child', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  const env = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };

  beforeEach(() => {
    folder = temporaryFolder('burst');
  });
  afterEach(() => folder.remove());

  /** A burst whose child is this script. */
  const burstOf = (script: string, breaker?: Breaker) => {
    const childPath = join(folder.path, 'child.mjs');
    writeFileSync(childPath, script);
    return new Burst({ childPath, env }, breaker);
  };

  test('that starts slowly costs the call its answer, but is neither killed nor counted as a hang', async () => {
    const breaker = new Breaker({ sinceBoot: () => 1 });
    const burst = burstOf(
      'setTimeout(() => process.stdout.write(new Uint8Array(4)), 300); process.stdin.resume();',
      breaker,
    );
    const asked = [1, 2, 3].map(() => burst.request('probe', [], 50));
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'backend_hung' });
    expect(breaker.open).toBe(false);
    while (!burst.ready) await sleep(20);
    await expect(burst.request('probe', [], 50)).rejects.toMatchObject({ code: 'backend_hung' });
    expect(breaker.open).toBe(true);
    await burst.dispose();
  });

  test('that falls is told at once', async () => {
    const burst = burstOf('process.exit(3)');
    await expect(burst.request('probe', [], 10_000)).rejects.toMatchObject({ code: 'backend_failed' });
    await burst.dispose();
  });

  test('that answers what is not sealed for this request is not believed', async () => {
    const burst = burstOf(
      'process.stdout.write(new Uint8Array(4)); process.stdin.once("data", () => process.stdout.write(new Uint8Array([2, 0, 0, 0, 111, 107])));',
    );
    await expect(burst.request('probe', [], 10_000)).rejects.toMatchObject({ code: 'backend_failed' });
    await burst.dispose();
  });

  test('that cannot be started is told at once', async () => {
    const burst = new Burst({ childPath: '/nowhere', nodePath: '/nowhere/node', env });
    await expect(burst.request('probe', [], 10_000)).rejects.toMatchObject({ code: 'backend_failed' });
    await burst.dispose();
  });
});
