import type { Seconds } from '../credential.ts';
import type { Duration, Kind, Lifetimes, Manifest } from './manifest.ts';

const units: Readonly<Record<string, Seconds>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Longest that is taken for a length of time: a hundred years. */
const SECONDS_MAX: Seconds = 36_500 * 86_400;

/** The seconds of `90d`, `24h`, `30m`, `45s`; infinity for `never`; undefined if it is no duration. */
export function secondsOf(duration: Duration): Seconds | undefined {
  if (duration === 'never') return Number.POSITIVE_INFINITY;
  const [, count, unit] = /^([1-9]\d{0,9})([smhd])$/.exec(duration) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const seconds = Number(count) * units[unit]!;
  return seconds <= SECONDS_MAX ? seconds : undefined;
}

/** The shortest way to write so many whole seconds: 7,776,000 is `90d`. */
export function durationOf(seconds: Seconds): Duration {
  if (seconds === Number.POSITIVE_INFINITY) return 'never';
  const unit = ['d', 'h', 'm'].find((name) => seconds % units[name]! === 0) ?? 's';
  return `${seconds / units[unit]!}${unit}`;
}

export type Lifetime =
  | {
      readonly status: 'ok';
      readonly duration: Duration | undefined;
      /** Infinite for `never`; undefined where the service alone decides. */
      readonly seconds: Seconds | undefined;
      /** What somebody should know before going on. */
      readonly warning?: string;
    }
  | { readonly status: 'unfit'; readonly why: string };

/**
 * How long a new token of a kind would live: what was asked for if the service takes it, else its default. Nothing asked
 * and no default known leaves it to the service.
 */
export function lifetimeOf(manifest: Manifest, kind?: Kind, asked?: Duration): Lifetime {
  const { allowed, default: usual, max }: Lifetimes = kind?.lifetimes ?? manifest.limits?.lifetimes ?? {};
  const duration = asked ?? usual;
  if (duration === undefined) return { status: 'ok', duration, seconds: undefined };
  const seconds = secondsOf(duration);
  const takes = allowed ? `; ${manifest.title} takes ${allowed.join(', ')}` : '';
  if (seconds === undefined) {
    return { status: 'unfit', why: `cannot take this lifetime: write it as 90d, 24h, 30m or never${takes}` };
  }
  if (allowed && !allowed.some((one) => secondsOf(one) === seconds)) {
    return { status: 'unfit', why: `cannot make a token for ${durationOf(seconds)}${takes}` };
  }
  const most = max === undefined ? undefined : secondsOf(max);
  if (most !== undefined && seconds > most) {
    return { status: 'unfit', why: `cannot make a token for ${durationOf(seconds)}: ${manifest.title} allows ${max}` };
  }
  const warning =
    seconds === Number.POSITIVE_INFINITY ? 'it never expires: somebody must remember to revoke it' : undefined;
  return { status: 'ok', duration: durationOf(seconds), seconds, ...(warning === undefined ? {} : { warning }) };
}
