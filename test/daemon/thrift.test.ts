import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Thrift } from '../../daemon/thrift.ts';

describe('memory goes back', () => {
  const giveBack = vi.fn();
  let thrift: Thrift;
  const ask = (times: number) => {
    for (let time = 0; time < times; time++) thrift.came();
  };

  beforeEach(() => {
    vi.useFakeTimers();
    onTestFinished(() => {
      vi.useRealTimers();
    });
    giveBack.mockClear();
    thrift = new Thrift({ giveBack });
  });

  it('once after requests, when none came for half a minute, and never among them', () => {
    for (let spell = 1; spell <= 2; spell++) {
      for (let time = 0; time < 8; time++) {
        ask(10);
        vi.advanceTimersByTime(15_000);
        expect(giveBack).toHaveBeenCalledTimes(spell - 1);
      }
      vi.advanceTimersByTime(60_000);
      expect(giveBack).toHaveBeenCalledTimes(spell);
    }
  });

  it('soon after thousands of them', () => {
    ask(3_000);
    vi.advanceTimersByTime(900);
    ask(3_000);
    vi.advanceTimersByTime(900);
    expect(giveBack).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_200);
    expect(giveBack).toHaveBeenCalledTimes(1);
  });

  it('without a timer where nobody asks', () => {
    expect(vi.getTimerCount()).toBe(0);
    ask(1);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(120_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});
