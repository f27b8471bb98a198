import { describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../../../daemon/history/audit/entry.ts';
import { Repeats } from '../../../../daemon/history/audit/repeats.ts';

const aRefusal = (at: number, target = 'https://git.example'): AuditEntry => ({
  at,
  action: 'get',
  outcome: 'locked',
  tool: 'git',
  target,
});

describe('refusals that repeat', () => {
  test('are one entry at once, and one that says how many when the minute is over', () => {
    const repeats = new Repeats();
    expect(repeats.note(aRefusal(60))).toEqual(aRefusal(60));
    for (let at = 61; at < 70; at++) expect(repeats.note(aRefusal(at))).toBeUndefined();
    expect(repeats.waiting).toBe(true);
    expect(repeats.take(119)).toEqual([]);
    expect(repeats.take(120)).toEqual([{ ...aRefusal(120), times: 9 }]);
    expect(repeats.waiting).toBe(false);
    expect(repeats.note(aRefusal(121))).toEqual(aRefusal(121));
  });

  test('are told apart by what was asked for', () => {
    const repeats = new Repeats();
    expect(repeats.note(aRefusal(60))).toBeDefined();
    expect(repeats.note(aRefusal(60, 'https://other.example'))).toBeDefined();
    expect(repeats.take(60, true)).toEqual([]);
  });

  test('of very many kinds are counted without their targets', () => {
    const repeats = new Repeats();
    let written = 0;
    for (let host = 0; host < 5_000; host++) if (repeats.note(aRefusal(60, `https://${host}.example`))) written++;
    expect(written).toBe(201);
    expect(repeats.take(120)).toEqual([{ at: 120, action: 'get', outcome: 'locked', times: 4_799 }]);
  });
});
