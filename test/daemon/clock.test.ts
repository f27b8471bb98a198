import { describe, expect, it } from 'vitest';
import { openSystemClock } from '../../daemon/clock.ts';

const YEAR = 365 * 86_400;

/** A machine whose three clocks the test moves: node's monotonic one stands still in suspend, the others do not. */
function aMachine() {
  const machine = { uptime: 5_000, wall: 1_893_456_000_000, monotonic: 70_000, reads: 0 };
  const clock = openSystemClock(
    () => {
      machine.reads++;
      return machine.uptime;
    },
    () => machine.wall,
    () => machine.monotonic,
  );
  return {
    machine,
    clock,
    run(seconds: number) {
      machine.uptime += seconds;
      machine.wall += seconds * 1_000;
      machine.monotonic += seconds * 1_000;
    },
    suspend(seconds: number) {
      machine.uptime += seconds;
      machine.wall += seconds * 1_000;
    },
  };
}

describe('openSystemClock', () => {
  it('follows the time since boot and reads it once in ten seconds', () => {
    const { machine, clock, run } = aMachine();
    for (let second = 0; second < 100; second++) {
      expect(clock.sinceBoot()).toBeCloseTo(machine.uptime, 6);
      run(1);
    }
    expect(machine.reads).toBeLessThanOrEqual(11);
  });

  it('sees a suspend of 12 hours at once', () => {
    const { machine, clock, suspend } = aMachine();
    clock.sinceBoot();
    suspend(12 * 3_600);
    expect(clock.sinceBoot()).toBe(machine.uptime);
  });

  it.each([YEAR, -YEAR])('is not moved by a step of the wall clock by %i s', (step) => {
    const { machine, clock, run } = aMachine();
    const before = clock.sinceBoot();
    machine.wall += step * 1_000;
    run(1);
    expect(clock.sinceBoot()).toBeCloseTo(before + 1, 6);
    expect(clock.now()).toBe(1_893_456_000 + step + 1);
  });

  it('never goes back, whatever it reads', () => {
    const { machine, clock, run } = aMachine();
    run(9);
    const before = clock.sinceBoot();
    machine.uptime -= 100;
    machine.wall += YEAR * 1_000;
    expect(clock.sinceBoot()).toBe(before);
  });

  it('is the machine’s by default', () => {
    const clock = openSystemClock();
    expect(Math.abs(clock.now() - Date.now() / 1_000)).toBeLessThan(2);
    expect(clock.sinceBoot()).toBeGreaterThan(0);
  });
});
