import type { EpochSeconds, Seconds } from '../../protocol/credential.ts';
import type { Held } from '../backends/backend.ts';
import type { Clock } from '../clock.ts';
import { loginCommand } from './refresh-outcome.ts';
import type { Backoff, Life } from './schedule.ts';

/**
 * Where the refresh of a login stands, for people: no secret is in it. `well`: it is had when it is due. `waits`: its service has
 * failed, and is left alone. `ended` and `unknown`: only a person can go on, by `command`.
 */
export type RefreshState = {
  readonly state: 'well' | 'under-way' | 'waits' | 'ended' | 'unknown';
  /** When the token that is held now was given out; absent where its provider does not say how long tokens live. */
  readonly refreshedAt?: EpochSeconds | undefined;
  /** When it is refreshed ahead of need; absent where nobody has asked for it lately: then the next get begins it. */
  readonly dueAt?: EpochSeconds | undefined;
  /** Until when the service is left alone. */
  readonly retryAt?: EpochSeconds | undefined;
  readonly command?: string | undefined;
};

/** What is known of one family at this moment. */
export type RefreshFacts = {
  readonly isUnderWay: boolean;
  readonly isUnknown: boolean;
  readonly life: Life | undefined;
  readonly isInUse: boolean;
  readonly backoff: Backoff | undefined;
};

/** The state of a login; undefined for what is none. */
export function refreshStateOf(
  entry: Held,
  { isUnderWay, isUnknown, life, isInUse, backoff }: RefreshFacts,
  clock: Clock,
): RefreshState | undefined {
  const grant = entry.about?.oauth;
  if (!grant) return undefined;
  const { expiresAt } = entry;
  const boot = clock.sinceBoot();
  const wall = (at: Seconds) => Math.floor(clock.now() + at - boot);
  // What a tool was refused with has lost its expiry, and with it when it came.
  const isDated = grant.lifetime !== undefined && expiresAt !== undefined && expiresAt > grant.lifetime;
  const refreshedAt = isDated ? expiresAt - grant.lifetime! : undefined;
  if (grant.ended) return { state: 'ended', refreshedAt, command: loginCommand(entry) };
  if (isUnknown) return { state: 'unknown', refreshedAt, command: loginCommand(entry) };
  if (isUnderWay) return { state: 'under-way', refreshedAt };
  const dueAt = life && isInUse ? wall(Math.max(life.dueAt, boot)) : undefined;
  if (backoff && backoff.until > boot)
    return { state: 'waits', refreshedAt, dueAt, retryAt: Math.ceil(clock.now() + backoff.until - boot) };
  return { state: 'well', refreshedAt, dueAt };
}
