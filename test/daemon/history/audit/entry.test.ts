import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type AuditEntry,
  appendEntry,
  type ChainedEntry,
  entryOf,
  genesis,
  type Head,
  lineOf,
  verifyChain,
} from '../../../../daemon/history/audit/entry.ts';

const anEntry = (at: number): AuditEntry => ({
  at,
  action: at % 3 === 0 ? 'erase' : 'store',
  outcome: 'ok',
  credential: `id-${at}`,
  tool: 'git',
  uid: 1_000,
  pid: at,
  program: '/usr/bin/git',
  cwd: '/home/ada/ünïcode',
});

function chain(length: number, from: Head = genesis): ChainedEntry[] {
  const rows: ChainedEntry[] = [];
  for (let at = 1; at <= length; at++) rows.push(appendEntry(rows.at(-1) ?? from, anEntry(at)));
  return rows;
}

/** A chain whose first `through` entries were pruned, and told so. */
function pruned(length: number, through: number): ChainedEntry[] {
  const rows = chain(length);
  const hash = Buffer.from(rows[through - 1]!.hash).toString('hex');
  rows.push(appendEntry(rows.at(-1)!, { at: length + 1, action: 'prune', outcome: 'ok', through, hash }));
  return rows.slice(through);
}

/** A generator of its own (mulberry32), so that a failure can be seen again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe('an entry', () => {
  test('has the same bytes in whatever order its fields were given, and comes back from them', () => {
    const { at, ...rest } = anEntry(7);
    expect(lineOf({ ...rest, at })).toEqual(lineOf(anEntry(7)));
    expect(entryOf(lineOf(anEntry(7)))).toEqual(anEntry(7));
  });

  test('is chained by SHA-256 over the hash before, its number and its bytes', () => {
    const [first, second] = chain(2);
    const number = Buffer.from([0, 0, 0, 0, 0, 0, 0, 2]);
    const expected = createHash('sha256').update(first!.hash).update(number).update(second!.line).digest();
    expect(Buffer.from(second!.hash)).toEqual(expected);
  });

  test('holds only the fields that an entry has, whatever else it is given', () => {
    expect(lineOf({ at: 1, action: 'store', outcome: 'ok', password: 'pass-EXAMPLE' } as AuditEntry).toString()).toBe(
      '{"at":1,"action":"store","outcome":"ok"}',
    );
  });
});

describe('a chain', () => {
  test('is sound as it was written, empty, and behind what was pruned', () => {
    expect(verifyChain([])).toMatchObject({ sound: true, entries: 0 });
    expect(verifyChain(chain(5), { end: chain(5)[4], against: chain(5)[2] })).toMatchObject({ entries: 5, first: 1 });
    expect(verifyChain(pruned(9, 4))).toMatchObject({ sound: true, entries: 6, first: 5 });
    expect(verifyChain(pruned(9, 9))).toMatchObject({ sound: true, entries: 1, first: 10 });
  });

  test('with a beginning that is missing is found, also when something was pruned before', () => {
    expect(verifyChain(chain(9).slice(3))).toEqual({ sound: false, number: 1, why: 'it is missing' });
    expect(verifyChain(pruned(9, 4).slice(2))).toEqual({ sound: false, number: 5, why: 'it is missing' });
  });

  test('with entries that should have been pruned is found', () => {
    expect(verifyChain([...chain(4), ...pruned(9, 4)])).toMatchObject({ sound: false, number: 5 });
  });

  test('that was cut, and one that was written anew, differ from the head that was exported', () => {
    const rows = chain(9);
    const end = { sound: false, number: 8, why: 'it was exported and is cut off' };
    expect(verifyChain(rows.slice(0, 7), { against: rows[8] })).toEqual(end);
    const other = chain(9, { number: 0, hash: Buffer.alloc(32, 1) });
    expect(verifyChain(other, { against: rows[4] }).sound).toBe(false);
    expect(verifyChain([], { against: rows[8] })).toMatchObject({ sound: false, number: 1 });
  });

  test('compares a head at the edge of what was pruned, and cannot compare one before it', () => {
    const rows = chain(9);
    expect(verifyChain(pruned(9, 4), { against: rows[3] }).sound).toBe(true);
    expect(verifyChain(pruned(9, 4), { against: { ...rows[3]!, hash: Buffer.alloc(32) } }).sound).toBe(false);
    expect(verifyChain(pruned(9, 4), { against: rows[2] })).toMatchObject({ sound: false, number: 3 });
  });
});

describe('10,000 mutations', () => {
  type Mutation = (rows: ChainedEntry[], below: (n: number) => number) => void;
  const flip = (bytes: Uint8Array, below: (n: number) => number) => {
    const copy = Uint8Array.from(bytes);
    copy[below(copy.length)]! ^= 1 << below(8);
    return copy;
  };
  const mutations: Record<string, Mutation> = {
    'a flipped bit in a line': (rows, below) => {
      const at = below(rows.length);
      rows[at] = { ...rows[at]!, line: flip(rows[at]!.line, below) };
    },
    'a flipped bit in a hash': (rows, below) => {
      const at = below(rows.length);
      rows[at] = { ...rows[at]!, hash: flip(rows[at]!.hash, below) };
    },
    'a flipped bit in a number': (rows, below) => {
      const at = below(rows.length);
      rows[at] = { ...rows[at]!, number: rows[at]!.number ^ (1 << below(20)) };
      rows.sort((one, other) => one.number - other.number);
    },
    'a removed row': (rows, below) => {
      rows.splice(below(rows.length), 1);
    },
    'two rows whose places were swapped': (rows, below) => {
      const one = below(rows.length);
      const other = (one + 1 + below(rows.length - 1)) % rows.length;
      [rows[one], rows[other]] = [rows[other]!, rows[one]!];
    },
    'two rows whose content was swapped': (rows, below) => {
      const one = below(rows.length);
      const other = (one + 1 + below(rows.length - 1)) % rows.length;
      const { number } = rows[one]!;
      [rows[one], rows[other]] = [
        { ...rows[other]!, number },
        { ...rows[one]!, number: rows[other]!.number },
      ];
    },
    'a cut tail': (rows, below) => {
      rows.length = below(rows.length);
    },
    'a row put in twice': (rows, below) => {
      const at = below(rows.length);
      rows.splice(at, 0, rows[at]!);
    },
    'a tail that was written anew': (rows, below) => {
      const at = 1 + below(rows.length - 1);
      rows.length = at;
      rows.push(appendEntry(rows.at(-1)!, { at: 5, action: 'store', outcome: 'ok' }));
    },
  };

  test.each(Object.keys(mutations))('%s is found each time, against an exported head', (name) => {
    const below = random(Object.keys(mutations).indexOf(name) + 1);
    const each = Math.ceil(10_000 / Object.keys(mutations).length);
    const originals = [chain(40), pruned(50, 20)];
    for (let round = 0; round < each; round++) {
      const original = originals[round % 2]!;
      const rows = [...original];
      mutations[name]!(rows, below);
      expect(verifyChain(rows, { against: original.at(-1) }).sound, `${name}, round ${round}`).toBe(false);
    }
  });
});
