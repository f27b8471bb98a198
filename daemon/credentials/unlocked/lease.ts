import type { Seconds } from '../../../protocol/credential.ts';

/** How long an unlocked secret may be served from memory. All in seconds of the boot-time clock. */
export type LeasePolicy = {
  /** Since its last use. */
  readonly idle: Seconds;
  /** Since it was unlocked, used or not. */
  readonly max: Seconds;
};

export type Lease = { readonly unlockedAt: Seconds; usedAt: Seconds };

export const HOUR: Seconds = 3_600;
/** For backends that can be read again silently: what is over is read again at the next get. */
export const silentPolicy: LeasePolicy = { idle: 8 * HOUR, max: 24 * HOUR };
/** For a vault whose key comes from a passphrase: what is over is locked. */
export const passphrasePolicy: LeasePolicy = { idle: HOUR, max: 24 * HOUR };

/** When a lease ends if nobody uses it again. */
export function endOf(lease: Lease, { idle, max }: LeasePolicy): Seconds {
  return Math.min(lease.usedAt + idle, lease.unlockedAt + max);
}
