import { expect, it } from 'vitest';
import { barOf } from '../../client/cli/progress.ts';

it('says what is done, how far it is, and of how many', () => {
  expect(barOf({ what: 'restore', done: 34_000, total: 100_000 })).toBe(
    'restore  [########----------------] 34%  34,000 of 100,000',
  );
  expect(barOf({ what: 'open', done: 0, total: 0 })).toContain('100%');
  expect(barOf({ what: 'open', done: 7, total: 5 })).toContain('100%');
});
