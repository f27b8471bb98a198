import { closeSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openVault } from '../../../../daemon/backends/vault/vault.ts';
import type { KeyholdError } from '../../../../protocol/errors.ts';
import { heapSecret, secretFromText } from '../../../../protocol/secret.ts';
import { aHeld, text } from '../../../contracts/backend.ts';
import { failDisk, misbehaved } from '../../../faults/vault/fail-disk.ts';
import { mayMount, mount } from '../../../mount.ts';
import { need } from '../../../need.ts';

const tmpfs = ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs'];

describe.skipIf(!mayMount(...tmpfs))('a vault on a full disk', () => {
  it('keeps what it acknowledged, refuses what does not fit, and takes stores again when there is room', async () => {
    const disk = mount(...tmpfs);
    const options = { folder: `${disk.path}/vault`, keep: heapSecret };
    const ballast = `${disk.path}/ballast`;
    writeFileSync(ballast, Buffer.alloc(1280 * 1024));
    let vault = await openVault(options);
    const value = (number: number) => `${number}-${'x'.repeat(3_000)}-EXAMPLE`;
    const heldOf = (number: number) => aHeld({ username: `u${number}`, id: `${number}` });
    const put = (number: number) => vault.put(heldOf(number), { secret: secretFromText(value(number)) });
    let kept = 0;
    try {
      let fault: unknown;
      while (kept < 1_000 && !fault) {
        await put(kept).then(
          () => kept++,
          (error) => {
            fault = error;
          },
        );
      }
      expect(kept).toBeGreaterThan(10);
      expect(fault).toMatchObject({ code: 'backend_full' });
      expect((fault as KeyholdError).message).toMatch(/the disk is full; make room and try again/);
      expect(await vault.get(heldOf(kept))).toBeUndefined();
      for (const number of [0, Math.floor(kept / 2), kept - 1]) {
        expect((await text(vault, heldOf(number)))?.secret).toBe(value(number));
      }
      await vault.dispose();
      vault = await openVault(options);
      expect((await vault.list()).length).toBe(kept);
      for (let number = 0; number < kept; number++) {
        expect((await text(vault, heldOf(number)))?.secret).toBe(value(number));
      }
      // The notes of hosts gave their room back when they could not be kept.
      fillUp(`${disk.path}/rest`);
      await expect(vault.remove(heldOf(0))).rejects.toMatchObject({ code: 'backend_full' });
      expect((await text(vault, heldOf(0)))?.secret).toBe(value(0));
      rmSync(ballast);
      rmSync(`${disk.path}/rest`);
      let room = 0;
      for (; room < 20; room++) await vault.remove(heldOf(room));
      await vault.put(heldOf(kept), { secret: secretFromText(value(kept)) });
      expect((await vault.list()).length).toBe(kept - room + 1);
    } finally {
      await vault.dispose();
      disk.unmount();
    }
  });

  it('cannot be created there, and leaves nothing behind', async () => {
    const disk = mount('-t', 'tmpfs', '-o', 'size=12k,mode=0700', 'tmpfs');
    try {
      await expect(openVault({ folder: disk.path, keep: heapSecret })).rejects.toMatchObject({ code: 'backend_full' });
      expect(readdirSync(disk.path).filter((name) => name !== 'vault.key')).toEqual([]);
    } finally {
      disk.unmount();
    }
  });
});

/** Writes a file until the disk is full. */
function fillUp(file: string): void {
  const descriptor = openSync(file, 'w', 0o600);
  try {
    for (const page = Buffer.alloc(4_096); ; ) writeSync(descriptor, page);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    closeSync(descriptor);
  }
}

describe.skipIf(!need('strace', 'apt-get install strace'))('a vault whose fsync fails', () => {
  it('refuses the store, shows nothing of it, and is read-only until it is opened again', async () => {
    const failed = await failDisk('fdatasync,fsync:error=EIO:when=1', 'kill');
    const { report, after } = failed;
    expect(misbehaved(failed)).toEqual([]);
    expect(report.tried.map(({ fault }) => fault)).toEqual(Array(5).fill('backend_failed'));
    expect(report.messages[0]).toMatch(
      /^cannot store in .*: the disk fails \(sqlite \d+\); mend it, then run: keyhold restart$/,
    );
    expect(report.messages[1]).toMatch(/the disk failed and it is read-only since/);
    expect(report.degraded).toContain('vault-read-only');
    expect(after.size).toBe(4);
  });
});
