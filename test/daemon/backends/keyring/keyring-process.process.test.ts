import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Breaker } from '../../../../daemon/backends/keyring/breaker.ts';
import { itemsBy } from '../../../../daemon/backends/keyring/items.ts';
import { KeyringProcess } from '../../../../daemon/backends/keyring/keyring-process.ts';
import { temporaryFolder } from '../../../temporary.ts';

const FRAMES = join(import.meta.dirname, '../../../../daemon/processes/frames.ts');

describe('a child', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  const env = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };

  beforeEach(() => {
    folder = temporaryFolder('burst');
  });
  afterEach(() => folder.remove());

  /** A burst whose child is this script. */
  const burstOf = (script: string, { breaker, ...options }: { breaker?: Breaker; startDeadline?: number } = {}) => {
    const childPath = join(folder.path, 'child.mjs');
    writeFileSync(childPath, script);
    return new KeyringProcess({ childPath, env, ...options }, breaker);
  };

  /** A child of ours that comes up after a while, and begins each operation after a while; then the keyring may answer. */
  const child = ({ up = 0, begins = 0, takes = 0, answers = true }) => `
    import { frame, framesOf, partsOf, sealReply } from ${JSON.stringify(FRAMES)};
    const write = (bytes) => process.stdout.write(bytes);
    process.stdin.on('data', (bytes) => {
      for (const body of framesOf(bytes)) {
        const [, key] = partsOf(body);
        setTimeout(() => {
          write(frame([]));
          if (${answers}) setTimeout(() => write(sealReply(key, [Buffer.from('ok')])), ${takes});
        }, ${begins});
      }
    });
    setTimeout(() => write(frame([])), ${up});`;
  const breakerOf = () => new Breaker({ sinceBoot: () => 1 });

  test('that starts slowly on a busy machine does not make its keyring hung: the bound is the keyring’s time', async () => {
    const breaker = breakerOf();
    const burst = burstOf(child({ up: 400 }), { breaker });
    const asked = [1, 2, 3].map(() => burst.request('probe', [], 100));
    for (const one of asked) expect((await one).outcome).toBe('ok');
    expect(breaker.open).toBe(false);
    await burst.dispose();
  });

  test('that begins an operation late does not make it hung either', async () => {
    const breaker = breakerOf();
    const burst = burstOf(child({ begins: 300 }), { breaker });
    expect((await burst.request('probe', [], 100)).outcome).toBe('ok');
    expect(breaker.open).toBe(false);
    await burst.dispose();
  });

  test('whose keyring does not answer is hung, and the next call is not made', async () => {
    const breaker = breakerOf();
    const burst = burstOf(child({ answers: false }), { breaker });
    await expect(burst.request('probe', [], 50)).rejects.toMatchObject({ code: 'backend_hung' });
    expect(breaker.open).toBe(true);
    await expect(burst.request('probe', [], 50)).rejects.toMatchObject({ code: 'backend_hung' });
    await burst.dispose();
  });

  test.each([
    ['does not come up', child({ up: 60_000 }), 3],
    ['does not begin', child({ begins: 60_000 }), 1],
  ])('that %s is our fault and not the keyring’s', async (_, script, callers) => {
    const breaker = breakerOf();
    const burst = burstOf(script, { breaker, startDeadline: 1_000 });
    // Callers that wait for one start hear of its end together.
    const asked = Array.from({ length: callers }, () => burst.request('probe', [], 50));
    for (const one of asked) {
      await expect(one).rejects.toMatchObject({
        code: 'backend_failed',
        message: expect.stringMatching(
          /our own child process did not begin within 1 s; the machine is busy, try again$/,
        ),
      });
    }
    expect(breaker.open).toBe(false);
    await burst.dispose();
  });

  test('gets longer for a write where the keyring holds many items, whose whole file it writes', async () => {
    const name = { service: 'a', account: 'b' };
    const breaker = breakerOf();
    const burst = burstOf(child({ takes: 400 }), { breaker });
    await itemsBy(burst, 100, performance.now(), 10_000).set(name, new Uint8Array(1));
    expect(breaker.open).toBe(false);
    // A read is bounded as before.
    await expect(itemsBy(burst, 100, performance.now(), 10_000).get(name)).rejects.toMatchObject({
      code: 'backend_hung',
    });
    await burst.dispose();
  });

  test('gets all operations of one call done within one bound, and never a negative one', async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error) => warnings.push(name);
    process.on('warning', hear);
    const burst = burstOf(child({ begins: 30 }));
    const items = itemsBy(burst, 1);
    const name = { service: 'a', account: 'b' };
    for (let time = 0; time < 5; time++) await items.remove(name).catch(() => {});
    await sleep(20);
    process.off('warning', hear);
    expect(warnings).toEqual([]);
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
    const burst = new KeyringProcess({ childPath: '/nowhere', nodePath: '/nowhere/node', env });
    await expect(burst.request('probe', [], 10_000)).rejects.toMatchObject({ code: 'backend_failed' });
    await burst.dispose();
  });
});
