import type { EpochSeconds, Seconds } from '../../protocol/credential.ts';

/**
 * When tokens are refreshed, as values in and values out. The wall clock is looked at once for each token, when it is learnt;
 * from then on its life runs on the boot-time clock, which counts suspend and never jumps.
 */

/** A number from 0 up to 1, so that a test can own chance too. */
export type Random = () => number;

/** The life of one access token, in seconds of the boot-time clock. */
export type Life = {
  /** From here on it is refreshed as soon as nobody has to wait for that: the advisory window. */
  readonly dueAt: Seconds;
  /** From here on whoever asks waits for the refresh: the mandatory window. */
  readonly closingAt: Seconds;
  readonly deadAt: Seconds;
};

/** `fresh`: leave it. `due`: refresh it, and serve it. `closing`: refresh it first. `dead`: never serve it. */
export type Phase = 'fresh' | 'due' | 'closing' | 'dead';

/** The longest advisory window, and the part of a life that it is at most: a token of 3 s is refreshed as well as one of a year. */
const ADVISORY_MAX: Seconds = 900;
const ADVISORY_PART = 0.4;
/** The longest mandatory window, and its part: what is given out should outlive one request of a tool. */
const MANDATORY_MAX: Seconds = 10;
const MANDATORY_PART = 0.2;
/** How much of the advisory window chance takes off its beginning: tokens of one login are not due in the same moment. */
const JITTER = 0.5;
/** Seconds in ten years: what claims to live longer says nothing. */
const FAR: Seconds = 3_650 * 86_400;

/** The first pause after a failure, and the longest. */
const PAUSE_FIRST: Seconds = 1;
const PAUSE_MAX: Seconds = 300;
/** A service may ask for an hour of silence and no more. */
const RETRY_AFTER_MAX: Seconds = 3_600;

/**
 * The lifetime that an answer states. What is not a positive number (0, -1, a word) or beyond all reason says nothing: such a
 * token is used until somebody is refused with it.
 */
export function lifetimeOf(expiresIn: unknown): Seconds | undefined {
  const isDigits = typeof expiresIn === 'string' && /^\d{1,10}$/.test(expiresIn);
  const seconds = isDigits ? Number(expiresIn) : expiresIn;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 1 || seconds > FAR) return undefined;
  return Math.floor(seconds);
}

/**
 * The life of a token that is learnt at `now` and `boot`. By a wall clock that was set back it would live longer than it was
 * given: `lifetime`, where that is known, bounds it. `leeway` is how long before its end its service wants it replaced.
 */
export function lifeOf(
  {
    expiresAt,
    lifetime,
    leeway = 0,
  }: {
    readonly expiresAt: EpochSeconds;
    readonly lifetime?: Seconds | undefined;
    readonly leeway?: Seconds | undefined;
  },
  now: EpochSeconds,
  boot: Seconds,
  random: Random,
): Life {
  const left = Math.min(Math.max(expiresAt - now, 0), lifetime ?? FAR);
  const whole = lifetime ?? left;
  const advisory = Math.min(Math.max(Math.min(whole * ADVISORY_PART, ADVISORY_MAX), leeway), whole / 2);
  const deadAt = boot + left;
  return {
    dueAt: deadAt - advisory * (1 - JITTER * random()),
    closingAt: deadAt - Math.min(whole * MANDATORY_PART, MANDATORY_MAX),
    deadAt,
  };
}

/** Where a token stands for somebody who needs it to live `minTtl` longer. */
export function phaseOf({ dueAt, closingAt, deadAt }: Life, boot: Seconds, minTtl: Seconds = 0): Phase {
  if (boot + minTtl >= deadAt) return 'dead';
  if (boot + minTtl >= closingAt) return 'closing';
  return boot >= dueAt ? 'due' : 'fresh';
}

/** Whether a token is in use: asked for within `usedWithin`. What nobody asks for is not refreshed ahead of need. */
export function isInUse(askedAt: Seconds | undefined, boot: Seconds, usedWithin: Seconds): boolean {
  return askedAt !== undefined && boot - askedAt <= usedWithin;
}

/** What all tokens of one service wait for after it failed. */
export type Backoff = { readonly failures: number; readonly until: Seconds };

/** After one more failure: twice as long as before, less a part by chance, and never sooner than the service asked for. */
export function backoffAfter(
  before: Backoff | undefined,
  boot: Seconds,
  retryAfter: Seconds | undefined,
  random: Random,
): Backoff {
  const failures = (before?.failures ?? 0) + 1;
  const pause = Math.min(PAUSE_FIRST * 2 ** Math.min(failures - 1, 16), PAUSE_MAX) * (1 - JITTER * random());
  const asked = Math.min(Math.max(retryAfter ?? 0, 0), RETRY_AFTER_MAX);
  return { failures, until: boot + Math.max(pause, asked) };
}

/** Seconds for which a service wants to be left alone: a number, or a date that is read by the server's own clock. */
export function retryAfterOf(header: string | undefined, serverDate: string | undefined): Seconds | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  const apart = (Date.parse(header) - Date.parse(serverDate ?? '')) / 1_000;
  return Number.isFinite(apart) && apart >= 0 ? apart : undefined;
}
