import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INDEX_KEY_ITEM,
  itemOf,
  meaningOf,
  refreshItemOf,
  VAULT_KEY_ITEM,
} from '../../../../daemon/backends/keyring/names.ts';
import { identityOf, type Target } from '../../../../protocol/credential.ts';

/** Bytes as the wire has them, often the ones that escapes are made of. */
const value = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\\', 'x', '/', '5', 'c', ':', '\xc3', '\xa4'),
    fc.integer({ min: 0x20, max: 0xff }).map((byte) => String.fromCharCode(byte)),
  ),
  maxLength: 6,
});

const target: fc.Arbitrary<Target> = fc.record(
  {
    protocol: fc.constantFrom('https', 'http', 'cert'),
    host: fc.constantFrom('a', 'a:1', 'b', ''),
    path: value,
    username: value,
  },
  { requiredKeys: ['protocol', 'host'] },
);

describe('the name of an item', () => {
  test('is the address and the username as people write them', () => {
    const at = { protocol: 'https', host: 'example.com:8443' };
    expect(itemOf({ ...at, username: 'ada' })).toEqual({ service: 'https://example.com:8443', account: 'ada' });
    expect(itemOf({ ...at, path: 'org/repo.git' })).toEqual({
      service: 'https://example.com:8443/org/repo.git',
      account: '',
    });
    expect(itemOf({ ...at, username: 'zo\xc3\xab' }).account).toBe('zoë');
  });

  test('escapes what a keyring cannot hold or what could be taken for another name', () => {
    const account = (username: string) => itemOf({ protocol: 'https', host: 'a', username }).account;
    expect(account('')).toBe('\\');
    expect(account('\\')).toBe('\\\\');
    expect(account('\\x')).toBe('\\\\x');
    expect(account('zo\xeb')).toBe('\\x7a6feb');
    expect(account('DOMAIN\\ada')).toBe('DOMAIN\\ada');
  });

  test('differs whenever two targets differ', () => {
    fc.assert(
      fc.property(target, target, (one, other) => {
        const same = identityOf(one) === identityOf(other);
        const text = (of: typeof itemOf, target: Target) => JSON.stringify(of(target));
        expect(text(itemOf, one) === text(itemOf, other)).toBe(same);
        expect(text(refreshItemOf, one) === text(refreshItemOf, other)).toBe(same);
      }),
      { numRuns: 5_000 },
    );
  });

  test('is never that of a refresh token or of a key of ours', () => {
    fc.assert(
      fc.property(target, target, (one, other) => {
        const { service } = itemOf(one);
        expect(service).toMatch(/^[a-z]+:\/\//);
        expect([refreshItemOf(other), INDEX_KEY_ITEM, VAULT_KEY_ITEM].map((item) => item.service)).not.toContain(
          service,
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the way back from the name of an item', () => {
  const nameable = target.filter(({ protocol, host }) => host !== '' || protocol === 'cert');

  test('leads to the very target, also to a front’s own and to a refresh token', () => {
    fc.assert(
      fc.property(nameable, fc.constantFrom(undefined, 'docker'), (one, front) => {
        const held = front === undefined ? one : { ...one, front };
        const identity = (name: ReturnType<typeof itemOf>) => {
          const meaning = meaningOf(name);
          return meaning && [identityOf(meaning.target), meaning.is];
        };
        expect(identity(itemOf(held))).toEqual([identityOf(held), 'secret']);
        expect(identity(refreshItemOf(held))).toEqual([identityOf(held), 'refresh-token']);
      }),
    );
  });

  test.each([
    ['Chrome Safe Storage', 'Chrome'],
    ['keyhold', 'index'],
    ['https://', 'ada'],
    ['https://h\u00e4st.example', 'ada'],
    ['https://example.com', '\\a'],
    ['https://example.com', '\\x7A'],
    ['1https://example.com', 'ada'],
    ['keyhold refresh keyhold refresh https://example.com', 'ada'],
  ])('leads nowhere from %j of %j, which keyhold does not make', (service, account) => {
    expect(meaningOf({ service, account })).toBeUndefined();
  });
});
