import { describe, expect, it } from 'vitest';
import { ChangeQueue } from '../../../../daemon/backends/vault/change-queue.ts';
import type { RecordChange } from '../../../../daemon/backends/vault/records.ts';
import { aHeld } from '../../../contracts/backend.ts';

const put = (id: string): RecordChange => ({ put: aHeld({ id }), secrets: {} });
const nameOf = (change: RecordChange) => ('put' in change ? change.put.id : 'removed');

describe('changes of one turn', () => {
  it('are made in one transaction, in their order, and are acknowledged behind it', async () => {
    const made: string[][] = [];
    const queue = new ChangeQueue({
      one: (change) => made.push([nameOf(change)]),
      all: (changes) => made.push(changes.map(nameOf)),
    });
    const acknowledged: number[] = [];
    const all = ['a', 'b', 'c'].map((id) => queue.add(put(id)).then(() => acknowledged.push(made.length)));
    expect(made).toEqual([]);
    await Promise.all(all);
    expect(made).toEqual([['a', 'b', 'c']]);
    expect(acknowledged).toEqual([1, 1, 1]);
    await queue.add({ remove: aHeld() });
    expect(made.at(-1)).toEqual(['removed']);
  });

  it('are few in each transaction, however many come', async () => {
    const sizes: number[] = [];
    const queue = new ChangeQueue({ one: () => sizes.push(1), all: (changes) => sizes.push(changes.length) });
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => queue.add(put(`${index}`))));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(32);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(1_000);
  });

  it('that fail cost no other', async () => {
    const made: string[] = [];
    const refuse = (change: RecordChange) => {
      if (nameOf(change) === 'bad') throw new Error('refused');
      made.push(nameOf(change));
    };
    const queue = new ChangeQueue({
      one: refuse,
      all: (changes) => {
        if (changes.some((change) => nameOf(change) === 'bad')) throw new Error('refused');
        changes.forEach(refuse);
      },
    });
    const outcomes = await Promise.allSettled(['a', 'bad', 'c'].map((id) => queue.add(put(id))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(made).toEqual(['a', 'c']);
  });

  it('are made at once for what must find them made', () => {
    const made: string[] = [];
    const queue = new ChangeQueue({ one: (change) => made.push(nameOf(change)), all: () => {} });
    void queue.add(put('a'));
    queue.flush();
    expect(made).toEqual(['a']);
  });
});
