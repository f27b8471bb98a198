import type { Measured } from '../figures.ts';
import { median, percentile, ratioOf } from '../statistics.ts';
import type { Series } from '../tools.ts';

/** The wall times of two commands that ran turn by turn: their ratio, and the times behind it. */
export function compare(ours: Series, theirs: Series): Measured {
  return {
    value: ratioOf(ours.wall, theirs.wall),
    note: `${milliseconds(ours.wall)} against ${milliseconds(theirs.wall)}, ${ours.wall.length} rounds`,
  };
}

/** The peak memory of two commands: the worst run of each. */
export function compareMemory(ours: Series, theirs: Series): Measured {
  const [mine, others] = [Math.max(...ours.memory), Math.max(...theirs.memory)];
  return { value: mine / others, note: `${mine} KiB against ${others} KiB` };
}

function milliseconds(wall: readonly number[]): string {
  const show = (us: number) => (us / 1_000).toFixed(2);
  return `${show(median(wall))} ms (${show(percentile(wall, 0.1))}–${show(percentile(wall, 0.9))})`;
}
