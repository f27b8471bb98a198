import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Thrift } from '../../daemon/thrift.ts';

describe('memory goes back', () => {
  const giveBack = vi.fn();
  const collect = vi.fn();
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
    collect.mockClear();
    thrift = new Thrift({ giveBack }, collect);
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
    // It would throw away the optimized code that the next one waits for.
    expect(collect).not.toHaveBeenCalled();
  });

  it('soon after thousands of them', () => {
    ask(3_000);
    vi.advanceTimersByTime(900);
    ask(3_000);
    vi.advanceTimersByTime(900);
    expect(giveBack).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1_200);
    expect(giveBack).toHaveBeenCalledTimes(1);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('without a timer where nobody asks', () => {
    expect(vi.getTimerCount()).toBe(0);
    ask(1);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(120_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('V8 knows every flag that is set, and lends its collector', () => {
  const thrift = join(import.meta.dirname, '../../daemon/thrift.ts');
  const script = `const { settleIn, collect } = await import(${JSON.stringify(thrift)}); settleIn(); collect();`;
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});
