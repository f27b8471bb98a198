import { describe, expect, it } from 'vitest';
import { elapsedBy, OFF_MAX } from '../../../../daemon/history/erased/elapsed.ts';

const written = { passed: 100, wall: 1_000_000, boot: 5_000 };

describe('how much time has passed for certain', () => {
  it('is what the boot clock shows within one boot, whatever the wall clock was set to', () => {
    for (const wall of [written.wall + 60, 0, written.wall + 10 * 365 * 86_400]) {
      expect(elapsedBy(written, { wall, boot: 5_060 })).toEqual({ passed: 160, wall, boot: 5_060 });
    }
  });

  it('is the new boot and at most a day besides where the machine was off', () => {
    const passedBehind = (off: number) =>
      elapsedBy(written, { wall: written.wall + off + 30, boot: 30 }).passed - written.passed;
    expect(passedBehind(3_600)).toBe(3_630);
    expect(passedBehind(OFF_MAX)).toBe(OFF_MAX + 30);
    expect(passedBehind(100 * 365 * 86_400)).toBe(OFF_MAX + 30);
    // A wall clock that was set back is no evidence either.
    expect(passedBehind(-1_000_000)).toBe(30);
  });

  it('reaches a week on seven days of use and not sooner', () => {
    // Turned on for an hour a day: the clock is read when it comes up, and before it goes down.
    let clock = { passed: 0, wall: 0, boot: 3_600 };
    for (let day = 1; day <= 8; day++) {
      clock = elapsedBy(clock, { wall: day * 86_400, boot: 600 });
      expect(clock.passed >= 7 * 86_400).toBe(day >= 7);
      clock = elapsedBy(clock, { wall: day * 86_400 + 3_000, boot: 3_600 });
    }
    expect(clock.passed).toBe(8 * 86_400 + 3_000);
  });

  it('never goes back', () => {
    let last = written;
    for (const [wall, boot] of [
      [0, 4_000],
      [5, 3_000],
      [2 ** 40, 1],
      [1, 1],
      [1, 2],
    ] as const) {
      const next = elapsedBy(last, { wall, boot });
      expect(next.passed).toBeGreaterThanOrEqual(last.passed);
      last = next;
    }
  });
});
