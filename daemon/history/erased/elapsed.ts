import type { EpochSeconds, Seconds } from '../../../protocol/credential.ts';

/**
 * How much time has passed for certain, as a value that rests: `passed` in seconds, and what both clocks said when it was
 * written. A wall clock that is set ahead is no evidence; the boot clock counts while the machine runs or sleeps.
 */
export type Elapsed = { readonly passed: Seconds; readonly wall: EpochSeconds; readonly boot: Seconds };

/** Most that is counted for the time in which the machine was off, for each start: the wall clock may have been set meanwhile. */
export const OFF_MAX: Seconds = 86_400;

/**
 * The time that has passed by now. Within one boot the boot clock alone counts. Behind a later boot its own time counts, and of
 * what the wall clock shows besides that at most a day: a machine that is used on seven days has seen a week.
 */
export function elapsedBy({ passed, wall, boot }: Elapsed, now: { wall: EpochSeconds; boot: Seconds }): Elapsed {
  if (now.boot >= boot) return { passed: passed + now.boot - boot, ...now };
  const off = Math.min(Math.max(now.wall - wall - now.boot, 0), OFF_MAX);
  return { passed: passed + now.boot + off, ...now };
}
