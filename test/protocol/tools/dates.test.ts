import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rfc3339 } from '../../../protocol/tools/dates.ts';

it('writes every date as ISO 8601 has it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (at) => {
      expect(rfc3339(at)).toBe(new Date(at * 1_000).toISOString().replace('.000Z', 'Z'));
    }),
    { numRuns: 2_000 },
  );
});

it('ends with the last year that has four digits, and leaves out a fraction', () => {
  expect(rfc3339(999_999_999_999)).toBe('9999-12-31T23:59:59Z');
  expect(rfc3339(1_893_456_000.9)).toBe('2030-01-01T00:00:00Z');
});
