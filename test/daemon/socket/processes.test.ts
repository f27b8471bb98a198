import { readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { processes, programBehind } from '../../../daemon/socket/processes.ts';

const own = readlinkSync('/proc/self/exe');

describe('the program that asks', () => {
  test('is the peer itself, or for a helper whoever started it', () => {
    const some = {
      parentOf: (pid: number) => (pid === 20 ? 10 : undefined),
      programOf: (pid: number) => ({ 10: '/usr/bin/git', 20: '/opt/keyhold-helper' })[pid],
    };
    expect(programBehind(20, false, some)).toBe('/opt/keyhold-helper');
    expect(programBehind(20, true, some)).toBe('/usr/bin/git');
    expect(programBehind(30, true, some)).toBe('');
    expect(programBehind(0, false, some)).toBe('');
  });

  test('is read from /proc', () => {
    expect(programBehind(process.pid, false, processes)).toBe(own);
    expect(processes.parentOf(process.pid)).toBe(process.ppid);
    expect(programBehind(process.pid, true, processes)).toBe(processes.programOf(process.ppid) ?? '');
  });

  test('that is gone is nobody', () => {
    expect(programBehind(4_194_303, true, processes)).toBe('');
    expect(programBehind(4_194_303, false, processes)).toBe('');
  });
});
