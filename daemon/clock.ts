import { uptime } from 'node:os';
import type { EpochSeconds, Seconds } from '../protocol/credential.ts';

/** Time as an argument, so that tests can own it. */
export interface Clock {
  /** The wall clock: expiry dates are told by it. It may jump. */
  now(): EpochSeconds;
  /** Seconds since boot, with a fraction, suspend included: leases run by it. It never jumps. */
  sinceBoot(): Seconds;
}

export const systemClock: Clock = {
  now: () => Math.floor(Date.now() / 1_000),
  // libuv reads CLOCK_BOOTTIME here; performance.now() and timers stop while the machine sleeps.
  sinceBoot: uptime,
};
