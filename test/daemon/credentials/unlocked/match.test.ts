import { describe, expect, it, vi } from 'vitest';
import { TargetIndex } from '../../../../daemon/credentials/unlocked/match.ts';
import type { Target } from '../../../../protocol/credential.ts';

const any = () => true;

function target(path?: string, username?: string, host = 'example.com'): Target {
  return { protocol: 'https', host, path, username };
}

describe('TargetIndex', () => {
  it('finds a member by every shape of request that it satisfies', () => {
    const index = new TargetIndex<Target>();
    const member = target('a.git', 'ada');
    index.add(member);
    for (const request of [target(), target('a.git'), target(undefined, 'ada'), target('a.git', 'ada')]) {
      expect(index.find(request, any)).toBe(member);
    }
    for (const request of [target('b.git'), target(undefined, 'bob'), target('a.git', 'bob'), target('', 'ada')]) {
      expect(index.find(request, any)).toBeUndefined();
    }
  });

  it('answers a request that names a path or user by no member without one', () => {
    const index = new TargetIndex<Target>();
    index.add(target());
    expect(index.find(target(''), any)).toBeUndefined();
    expect(index.find(target(undefined, ''), any)).toBeUndefined();
    expect(index.find(target(), any)).toEqual(target());
  });

  it('prefers the newest that is accepted', () => {
    const index = new TargetIndex<Target>();
    const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => target(undefined, name));
    for (const member of [ada!, bob!, eve!]) index.add(member);
    expect(index.find(target(), any)).toBe(eve);
    expect(index.find(target(), ({ username }) => username !== 'eve')).toBe(bob);
    index.remove(eve!);
    expect(index.find(target(), any)).toBe(bob);
    index.remove(ada!);
    index.add(ada!);
    expect(index.findAll(target())).toEqual([bob, ada]);
    index.remove(ada!);
    index.remove(bob!);
    expect(index.findAll(target())).toEqual([]);
  });

  it('keeps the order that it was given, whenever a member came', () => {
    type Ranked = Target & { readonly rank: number };
    const ranked = (username: string, rank: number): Ranked => ({ ...target(undefined, username), rank });
    const members = [ranked('ada', 2), ranked('bob', 1), ranked('eve', 2), ranked('mia', 3), ranked('joe', 1)];
    const index = new TargetIndex<Ranked>((one, other) => other.rank - one.rank);
    for (const member of members) index.add(member);
    const order = () => index.findAll(target()).map(({ username }) => username);
    expect(order()).toEqual(['bob', 'joe', 'ada', 'eve', 'mia']);
    expect(index.find(target(), ({ rank }) => rank < 3)?.username).toBe('eve');
    index.remove(members[4]!);
    index.add(members[4]!);
    expect(order()).toEqual(['bob', 'joe', 'ada', 'eve', 'mia']);
  });

  it('never takes values that run into each other for one', () => {
    const index = new TargetIndex<Target>();
    index.add({ protocol: 'https', host: 'a', path: 'b', username: 'c' });
    for (const other of [
      { protocol: 'https', host: 'a', path: 'bc' },
      { protocol: 'https', host: 'ab', username: 'c' },
      { protocol: 'httpsa', host: '', path: 'b', username: 'c' },
    ]) {
      expect(index.find(other, any)).toBeUndefined();
    }
  });

  it('looks once into its map, among 10,000 as among ten', () => {
    for (const count of [10, 10_000]) {
      const index = new TargetIndex<Target>();
      for (let number = 0; number < count; number++) index.add(target('x.git', 'ada', `host-${number}.test`));
      const looks = vi.spyOn(Map.prototype, 'get');
      const accepted = vi.fn(any);
      index.find(target('x.git', 'ada', `host-${count / 2}.test`), accepted);
      index.find(target('x.git', 'ada', 'missing.test'), accepted);
      const counted = looks.mock.calls.length;
      looks.mockRestore();
      expect({ counted, accepted: accepted.mock.calls.length }).toEqual({ counted: 2, accepted: 1 });
    }
  });
});
