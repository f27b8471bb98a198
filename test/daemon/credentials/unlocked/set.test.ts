import { describe, expect, it } from 'vitest';
import type { Held } from '../../../../daemon/backends/backend.ts';
import { endOf, passphrasePolicy, silentPolicy } from '../../../../daemon/credentials/unlocked/lease.ts';
import { UnlockedSet } from '../../../../daemon/credentials/unlocked/set.ts';
import { type Secret, secretFromText } from '../../../../protocol/secret.ts';

const policy = { idle: 10, max: 30 };

function held(username: string): Held {
  return { protocol: 'https', host: 'example.com', username, id: username, storedAt: 0 };
}

function isWiped(secret: Secret): boolean {
  try {
    secret.copyTo(new Uint8Array(100));
    return false;
  } catch {
    return true;
  }
}

describe('UnlockedSet', () => {
  it('counts what is held and what is unlocked', () => {
    const set = new UnlockedSet();
    set.know(held('ada'));
    const bob = set.add(held('bob'), held('bob'), { secret: secretFromText('bob-EXAMPLE') }, 0);
    expect(set.counts).toEqual({ held: 2, unlocked: 1 });
    set.remove(bob);
    set.remove(bob);
    expect(set.counts).toEqual({ held: 1, unlocked: 0 });
    set.clear();
    expect(set.counts).toEqual({ held: 0, unlocked: 0 });
  });

  it('knows the logins among what is held, also one that becomes a login or ceases to be one', () => {
    const oauth = { issuer: 'https://idp.example', clientId: 'id', tokenUrl: 'https://idp.example/token', round: 1 };
    const login = { ...held('ada'), about: { oauth } } as Held;
    const set = new UnlockedSet();
    const names = () => [...set.logins()].map(({ username }) => username);
    const ada = set.know(login);
    const bob = set.know(held('bob'));
    expect(names()).toEqual(['ada']);
    set.note(bob, { ...login, ...held('bob'), about: login.about });
    expect(names()).toEqual(['ada', 'bob']);
    set.note(ada, held('ada'));
    expect(names()).toEqual(['bob']);
    set.know(held('bob'));
    expect(names()).toEqual([]);
    set.remove(set.know(login));
    expect(names()).toEqual([]);
    set.know(login);
    set.clear();
    expect(names()).toEqual([]);
  });

  it('wipes a secret that is replaced, removed, cleared or past its lease', () => {
    const ends: ((set: UnlockedSet) => void)[] = [
      (set) => set.add(held('ada'), held('ada'), { secret: secretFromText('other-EXAMPLE') }, 0),
      (set) => set.remove(set.at(held('ada'))!),
      (set) => set.clear(),
      (set) => set.forgetResting(),
      (set) => set.sweep(policy, 10),
      (set) => set.isServable(set.at(held('ada'))!, policy, 10),
    ];
    for (const end of ends) {
      const set = new UnlockedSet();
      const secret = secretFromText('first-EXAMPLE');
      const refreshToken = secretFromText('refresh-EXAMPLE');
      set.add(held('ada'), held('ada'), { secret, refreshToken }, 0);
      end(set);
      expect([isWiped(secret), isWiped(refreshToken)]).toEqual([true, true]);
    }
  });

  it('wipes at once what arrives for an entry that is gone', () => {
    const set = new UnlockedSet();
    const gone = set.know(held('ada'));
    const now = set.know(held('ada'));
    const late = secretFromText('late-EXAMPLE');
    set.unlock(gone, { secret: late }, 0);
    expect(isWiped(late)).toBe(true);
    expect(now.inMemory).toBeUndefined();
    expect(set.counts).toEqual({ held: 1, unlocked: 0 });
  });

  it('keeps knowing what rests when its lease ends, and forgets what lives in memory only', () => {
    const set = new UnlockedSet();
    set.add(held('rests'), held('rests'), { secret: secretFromText('a-EXAMPLE') }, 0);
    set.add(held('brief'), undefined, { secret: secretFromText('b-EXAMPLE') }, 0, 20);
    expect(set.sweep(policy, 9)).toBe(10);
    expect(set.sweep(policy, 10)).toBe(20);
    expect(set.sweep(policy, 20)).toBeUndefined();
    expect([...set.all()].map(({ id }) => id)).toEqual(['rests']);
  });
});

describe('a lease', () => {
  it('ends when it was idle for too long or has lasted for too long', () => {
    expect(endOf({ unlockedAt: 0, usedAt: 0 }, policy)).toBe(10);
    expect(endOf({ unlockedAt: 0, usedAt: 15 }, policy)).toBe(25);
    expect(endOf({ unlockedAt: 0, usedAt: 29 }, policy)).toBe(30);
  });

  it('lasts for 8 idle hours, behind a passphrase for one, and for a day at most', () => {
    expect([silentPolicy, passphrasePolicy]).toEqual([
      { idle: 28_800, max: 86_400 },
      { idle: 3_600, max: 86_400 },
    ]);
  });
});
