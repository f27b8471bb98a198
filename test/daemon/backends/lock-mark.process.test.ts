import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openLockMark } from '../../../daemon/backends/lock-mark.ts';
import { storageFault } from '../../../daemon/backends/vault/storage-fault.ts';
import { mayMount, mount } from '../../mount.ts';
import { temporaryFolder } from '../../temporary.ts';

describe('the mark of a lock', () => {
  it('is set until it is cleared, and found by the next start', () => {
    const { path, remove } = temporaryFolder('lock-mark');
    const file = `${path}/locked`;
    const mark = openLockMark(file);
    expect(mark.isSet()).toBe(false);
    for (let times = 0; times < 2; times++) {
      mark.set();
      mark.set();
      expect([mark.isSet(), openLockMark(file).isSet(), existsSync(file)]).toEqual([true, true, true]);
      mark.clear();
      mark.clear();
      expect([mark.isSet(), openLockMark(file).isSet()]).toEqual([false, false]);
    }
    rmSync(path, { recursive: true });
    expect(() => mark.set()).toThrow(
      `locked until the agent ends: cannot open ${file}: no such file or directory (ENOENT); see: keyhold logs, then run: keyhold lock`,
    );
    remove();
  });

  const small = ['-t', 'tmpfs', '-o', 'size=64k,nr_inodes=8,mode=0700', 'tmpfs'];
  it.skipIf(!mayMount(...small))('is set on a disk that has no room for another file', () => {
    const disk = mount(...small);
    try {
      const mark = openLockMark(`${disk.path}/locked`);
      for (let name = 0; ; name++) {
        try {
          writeFileSync(`${disk.path}/${name}`, '');
        } catch (error) {
          expect(error).toMatchObject({ code: 'ENOSPC' });
          break;
        }
      }
      mark.set();
      expect(mark.isSet()).toBe(true);
      mark.clear();
      expect(readdirSync(disk.path)).toContain('locked.not');
    } finally {
      disk.unmount();
    }
  });
});

describe('a write that SQLite says has failed', () => {
  const failed = Object.assign(new Error('disk I/O error'), { errcode: 778 });

  it.each([
    [true, 'backend_full', false],
    [false, 'backend_failed', true],
  ])('with the quota used up: %s', (isOver, code, lasting) => {
    const told = storageFault(failed, 'store in', '/state/vault.db', () => isOver);
    expect({ code: told.fault.code, lasting: told.lasting }).toEqual({ code, lasting });
    expect(told.fault.message.includes('quota')).toBe(isOver);
  });

  it('is looked into where the file lies, and leaves nothing there', () => {
    const { path, remove } = temporaryFolder('quota');
    expect(storageFault(failed, 'store in', `${path}/vault.db`).fault.code).toBe('backend_failed');
    expect(readdirSync(path)).toEqual([]);
    remove();
  });
});
