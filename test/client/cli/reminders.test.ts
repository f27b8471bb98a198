import { expect, test } from 'vitest';
import { remind } from '../../../client/cli/reminders.ts';

const DAY = 86_400;
const NOW = 20_000 * DAY;
const days = (number: number) => NOW + number * DAY;

const fresh = { id: 'fresh', storedAt: days(-1), expiresAt: days(60), lastUsed: days(0) };

const reasons = (item: object, options = {}) =>
  remind([item as Record<string, unknown>], { due: true, ...options }, NOW).map((one) => one.reasons)[0];

test('without an option everything is listed as it is', () => {
  expect(remind([fresh], {}, NOW)).toEqual([fresh]);
});

test('what is fresh, used and expires in time is not due', () => {
  expect(reasons(fresh)).toBeUndefined();
});

test.each([
  [{ expiresAt: undefined }, ['never expires']],
  [{ expiresAt: days(-1) }, ['expired']],
  [{ expiresAt: NOW + 60 }, ['expires within a day']],
  [{ expiresAt: days(1) }, ['expires in a day']],
  [{ expiresAt: days(13) }, ['expires in 13 days']],
  [{ expiresAt: days(14) }, undefined],
  [{ storedAt: days(-90) }, ['90 days old: rotate it']],
  [{ storedAt: days(-89) }, undefined],
  [{ storedAt: days(-100), lastUsed: days(-95) }, ['100 days old: rotate it', 'unused for 95 days']],
  [{ storedAt: days(-100), lastUsed: undefined }, ['100 days old: rotate it', 'no use known, held for 100 days']],
])('%j is due as %j', (change, expected) => {
  expect(reasons({ ...fresh, ...change })).toEqual(expected);
});

test('days says how old is old, and how long is unused', () => {
  expect(reasons({ ...fresh, storedAt: days(-30) }, { days: 30 })).toEqual(['30 days old: rotate it']);
  const unused = remind([{ ...fresh, storedAt: days(-40), lastUsed: days(-7) }, fresh], { unused: true, days: 7 }, NOW);
  expect(unused.map((one) => one.reasons)).toEqual([['unused for 7 days']]);
});
