import { expect, it, onTestFinished, vi } from 'vitest';
import { collectWhenIdle } from '../../daemon/thrift.ts';

it('memory goes back once after each burst of callers, and never within one', () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  let callers = 0;
  const giveBack = vi.fn();
  collectWhenIdle(() => callers, { giveBack });
  for (let burst = 1; burst <= 2; burst++) {
    for (let half = 0; half < 4; half++) {
      callers++;
      vi.advanceTimersByTime(30_000);
      expect(giveBack).toHaveBeenCalledTimes(burst - 1);
    }
    vi.advanceTimersByTime(120_000);
    expect(giveBack).toHaveBeenCalledTimes(burst);
  }
});
