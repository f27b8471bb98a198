import { uptime } from 'node:os';
import type { EpochSeconds, Seconds } from '../protocol/credential.ts';

/** Time as an argument, so that tests can own it. */
export interface Clock {
  /** The wall clock: expiry dates are told by it. It may jump. */
  now(): EpochSeconds;
  /** Seconds since boot, with a fraction, suspend included: leases run by it. It never jumps back. */
  sinceBoot(): Seconds;
}

/** Milliseconds after which the time since boot is read again in any case. */
const READ_EVERY = 10_000;
/** Milliseconds that wall and monotonic clock may drift apart before a suspend or a clock step is assumed. */
const DRIFT_MAX = 400;

/**
 * The machine's clocks. Node offers the boot-time clock by os.uptime() only, and libuv reads a file for that: too slow
 * for every get. So it is read now and then and carried on by the monotonic clock, which stands still in suspend; the
 * wall clock does not, and a difference between the two makes it be read at once.
 */
export function openSystemClock(
  readUptime: () => Seconds = uptime,
  wall = Date.now,
  monotonic = () => performance.now(),
): Clock {
  let readAtMonotonic = Number.NEGATIVE_INFINITY;
  let readAtWall = 0;
  let read: Seconds = 0;
  let latest: Seconds = 0;
  return {
    now: () => Math.floor(wall() / 1_000),
    sinceBoot() {
      const elapsed = monotonic() - readAtMonotonic;
      if (elapsed > READ_EVERY || Math.abs(wall() - readAtWall - elapsed) > DRIFT_MAX) {
        readAtMonotonic = monotonic();
        readAtWall = wall();
        read = readUptime();
        latest = Math.max(latest, read);
      } else latest = Math.max(latest, read + elapsed / 1_000);
      return latest;
    },
  };
}
