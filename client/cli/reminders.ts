import type { Command } from 'commander';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from './failure.ts';

const DAY = 86_400;
/** Days after which a token is to be rotated, or counts as unused. */
const OLD = 90;
/** Days before its expiry in which a token is to be renewed. */
const SOON = 14;

/** What `token list` may be narrowed down to. */
export type ReminderOptions = {
  readonly due?: boolean;
  readonly unused?: boolean;
  /** Of `due`: the age for rotation. Of `unused`: how long. */
  readonly days?: number;
};

type Item = Record<string, unknown>;

export function addReminders(command: Command): Command {
  return command
    .option('--due', `only what expires within ${SOON} days, never expires, is old or unused`)
    .option('--unused', 'only what was not used for so long')
    .option('--days <number>', `how old is old, how long is unused (${OLD})`, days);
}

function days(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw unfit('days is a number from 1 to 99999');
  return Number(text);
}

/**
 * The items that a person should look at, each with its `reasons`; without `due` or `unused` all of them, as they are.
 * It goes by what is known here: dates of storing, expiry and the uses in the audit log. `now` is in epoch seconds.
 */
export function remind(items: readonly Item[], { due, unused, days = OLD }: ReminderOptions, now: number): Item[] {
  if (!due && !unused) return [...items];
  return items
    .map((item) => {
      const idle = unusedReason(item, days, now);
      const others = due ? [...expiryReason(item, now), ...ageReason(item, days, now)] : [];
      return { ...item, reasons: [...others, ...idle] };
    })
    .filter(({ reasons }) => reasons.length > 0);
}

function expiryReason({ expiresAt }: Item, now: number): string[] {
  if (typeof expiresAt !== 'number') return ['never expires'];
  if (expiresAt <= now) return ['expired'];
  const left = Math.floor((expiresAt - now) / DAY);
  if (left >= SOON) return [];
  return [left === 0 ? 'expires within a day' : `expires in ${plural(left)}`];
}

function ageReason({ storedAt }: Item, days: number, now: number): string[] {
  const age = typeof storedAt === 'number' ? Math.floor((now - storedAt) / DAY) : 0;
  return age >= days ? [`${plural(age)} old: rotate it`] : [];
}

/** What was stored a moment ago is not unused yet. */
function unusedReason({ lastUsed, storedAt }: Item, days: number, now: number): string[] {
  const since = typeof lastUsed === 'number' ? lastUsed : storedAt;
  const idle = typeof since === 'number' ? Math.floor((now - since) / DAY) : 0;
  if (idle < days) return [];
  return [typeof lastUsed === 'number' ? `unused for ${plural(idle)}` : `no use known, held for ${plural(idle)}`];
}

function plural(days: number): string {
  return days === 1 ? 'a day' : `${days} days`;
}

function unfit(rule: string): CommandFailure {
  return new CommandFailure(exitCodeOf('bad-request'), `cannot list: ${rule}`);
}
