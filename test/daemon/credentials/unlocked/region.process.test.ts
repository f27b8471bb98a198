import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRegion } from '../../../../daemon/credentials/unlocked/region.ts';
import { expose, heapSecret, type Secret } from '../../../../protocol/secret.ts';
import { buildAddon } from '../../../fakes/addon.ts';
import { countInMemory } from '../../../memory-scan.ts';
import { need } from '../../../need.ts';

const isRoot = process.getuid?.() === 0;
const bytesOf = (text: string) => Buffer.from(text);

/** Outside memory that the test can look into. */
function openWatched(size?: number) {
  const memories: Uint8Array[] = [];
  const native = {
    region(length: number) {
      const memory = new ArrayBuffer(length);
      memories.push(new Uint8Array(memory));
      return { memory, hidden: true, locked: true };
    },
  };
  const isWiped = () => memories.every((memory) => memory.every((byte) => byte === 0));
  return { region: openRegion({ native, ...(size === undefined ? {} : { size }) }), isWiped, memories };
}

describe('the region of secrets', () => {
  it('keeps every secret as it is, whatever comes and goes, and wipes what went', () => {
    const step = fc.oneof(
      fc.record({ keep: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ keep: fc.constantFrom(63, 64, 65, 4_095, 4_096, 4_097, 20_000) }),
      fc.record({ drop: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { region, isWiped } = openWatched(4_096);
        const living: { secret: Secret; bytes: Buffer }[] = [];
        for (const step of steps) {
          if ('keep' in step) {
            const bytes = randomBytes(step.keep);
            living.push({ secret: region.keep(bytes), bytes });
          } else if (living.length > 0) living.splice(step.drop % living.length, 1)[0]!.secret.dispose();
        }
        for (const { secret, bytes } of living) expect(bytes.equals(expose(secret))).toBe(true);
        for (const { secret } of living) secret.dispose();
        expect(region.used).toBe(0);
        expect(isWiped()).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('uses the same memory again instead of growing', () => {
    const { region, memories } = openWatched();
    for (let round = 0; round < 50_000; round++) region.keep(bytesOf('a-token-of-some-length-EXAMPLE')).dispose();
    expect(memories).toHaveLength(1);
  });

  it('copies to any place that is large enough, and to no other', () => {
    const { region } = openWatched();
    const secret = region.keep(bytesOf('hunter-EXAMPLE'));
    const target = new Uint8Array(20);
    expect(secret.copyTo(target, 6)).toBe(14);
    expect(Buffer.from(target.subarray(6)).toString()).toBe('hunter-EXAMPLE');
    expect(() => secret.copyTo(target, 7)).toThrow(RangeError);
  });

  it('compares with a secret of its own, of another region, and of the heap', () => {
    const { region } = openWatched();
    const secret = region.keep(bytesOf('hunter-EXAMPLE'));
    const keepers = [region.keep, openRegion().keep, heapSecret];
    for (const keep of keepers) {
      expect(secret.equals(keep(bytesOf('hunter-EXAMPLE')))).toBe(true);
      expect(keep(bytesOf('hunter-EXAMPLE')).equals(secret)).toBe(true);
      expect(secret.equals(keep(bytesOf('Hunter-EXAMPLE')))).toBe(false);
      expect(secret.equals(keep(bytesOf('hunter')))).toBe(false);
    }
    expect(region.used).toBe(64 * (1 + 4));
  });

  it('answers nothing more about a secret that was disposed of, once or twice', () => {
    const { region } = openWatched();
    const first = region.keep(bytesOf('first-EXAMPLE'));
    first.dispose();
    const second = region.keep(bytesOf('second-EXAMPLE'));
    first.dispose();
    expect(Buffer.from(expose(second)).toString()).toBe('second-EXAMPLE');
    expect(() => first.copyTo(new Uint8Array(50))).toThrow(expect.objectContaining({ code: 'secret_disposed' }));
    expect(() => first.equals(second)).toThrow(expect.objectContaining({ code: 'secret_disposed' }));
  });

  it('wipes everything when it is disposed of', () => {
    const { region, isWiped } = openWatched();
    const secret = region.keep(bytesOf('hunter-EXAMPLE'));
    region.keep(randomBytes(300_000));
    region.dispose();
    region.dispose();
    expect(isWiped()).toBe(true);
    expect(() => expose(secret)).toThrow(expect.objectContaining({ code: 'secret_disposed' }));
    expect(() => region.keep(bytesOf('x'))).toThrow(expect.objectContaining({ code: 'secret_disposed' }));
    secret.dispose();
  });

  it('never prints a secret', () => {
    const secret = openRegion().keep(bytesOf('hunter-EXAMPLE'));
    const shown = [String(secret), JSON.stringify({ secret }), inspect(secret, { showHidden: true, depth: 9 })];
    expect(shown.join()).not.toContain('hunter');
  });

  it('says the weakest protection that it had to take', () => {
    const ladder = [
      { hidden: true, locked: true },
      { hidden: false, locked: true },
      { hidden: false, locked: false },
    ];
    const native = { region: (size: number) => ({ memory: new ArrayBuffer(size), ...ladder.shift()! }) };
    const region = openRegion({ native, size: 4_096 });
    expect(region.protection).toBe('hidden');
    region.keep(randomBytes(4_096));
    region.keep(randomBytes(1));
    expect(region.protection).toBe('locked');
    region.keep(randomBytes(4_096));
    expect(region.protection).toBe('plain');
  });

  it('keeps secrets also where no outside memory is to be had', () => {
    const native = {
      region: () => {
        throw new Error('no memory');
      },
    };
    const region = openRegion({ native });
    expect(Buffer.from(expose(region.keep(bytesOf('hunter-EXAMPLE')))).toString()).toBe('hunter-EXAMPLE');
    expect(region.protection).toBe('plain');
  });

  describe.skipIf(!need('cc', 'apt-get install gcc libc6-dev'))('in a process of its own', () => {
    let addon: Awaited<ReturnType<typeof buildAddon>>;
    beforeAll(async () => {
      addon = await buildAddon();
    });
    afterAll(() => addon[Symbol.asyncDispose]());

    type Report = { protection: string; cost: number; length: number };
    async function start(
      secret: Buffer,
      before: readonly string[] = [],
    ): Promise<{ child: ChildProcess; report: Report }> {
      const main = join(import.meta.dirname, '../../../fakes/region-main.ts');
      const node = [process.execPath, '--expose-gc', main, addon.path, String(process.pid)];
      const [program, ...args] = [...before, ...node];
      const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin!.end(secret);
      const [line] = (await once(child.stdout!, 'data')) as [Buffer];
      return { child, report: JSON.parse(line.toString()) as Report };
    }

    it('costs less than 3 MiB for 10,000 tokens', async () => {
      const { child, report } = await start(bytesOf('x'));
      child.kill();
      expect(report.cost).toBeLessThan(3 * 2 ** 20);
    });

    it.skipIf(!isRoot)('is not seen by root while it lives', async () => {
      const secret = bytesOf(`live-${process.pid}-${Date.now()}-EXAMPLE`);
      const { child, report } = await start(secret);
      try {
        const planted = bytesOf(`planted-${process.pid}-EXAMPLE`);
        const [secrets, texts] = countInMemory(child.pid!, [secret, planted]);
        expect(texts).toBeGreaterThan(0);
        expect(report).toMatchObject({ length: secret.length });
        if (report.protection === 'hidden') expect(secrets).toBe(0);
        else console.warn(`memfd_secret is not to be had here: the region is ${report.protection}`);
      } finally {
        child.kill();
      }
    });

    it.skipIf(!isRoot)('is plain, and works, for a user who may lock nothing', async () => {
      const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
      for (const [limit, expected] of [
        ['0', /^plain$/],
        ['8388608', /^(hidden|locked)$/],
      ] as const) {
        const { child, report } = await start(bytesOf('x'), ['prlimit', `--memlock=${limit}`, ...asNobody]);
        child.kill();
        expect(report.protection).toMatch(expected);
      }
    });
  });
});
