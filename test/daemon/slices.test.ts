import { describe, expect, it } from 'vitest';
import { inSlices, Slices } from '../../daemon/slices.ts';

describe('long work', () => {
  it('gives the loop back after each slice, by the clock and not by the count', async () => {
    let now = 0;
    const slices = new Slices(2, () => now);
    const sizes: number[] = [];
    let size = 0;
    for (let step = 0; step < 20; step++) {
      now += step < 10 ? 0.5 : 1;
      size++;
      if (!slices.isOver) continue;
      sizes.push(size);
      size = 0;
      await slices.next();
    }
    expect(sizes).toEqual([4, 4, 3, 2, 2, 2, 2]);
  });

  it('lets what came meanwhile run before it goes on', async () => {
    const seen: string[] = [];
    const long = inSlices([1, 2, 3], (step) => {
      seen.push(`step ${step}`);
      for (const end = performance.now() + 5; performance.now() < end; );
    });
    setImmediate(() => seen.push('another'));
    await long;
    expect(seen.indexOf('another')).toBeLessThan(seen.indexOf('step 3'));
    expect(seen.filter((one) => one.startsWith('step'))).toEqual(['step 1', 'step 2', 'step 3']);
  });
});
