import { describe, expect, test } from 'vitest';
import { readable, siftSecrets, whyUnfitId, whyUnfitSecret } from '../../../daemon/upstream/incoming.ts';
import { expose, secretFromText } from '../../../protocol/secret.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('a secret of an answer', () => {
  test.each([
    ['a line feed', 'one\ntwo'],
    ['ESC', 'one\u001b[2J'],
    ['NUL', 'one\0two'],
    ['DEL', 'one\u007f'],
    ['nothing', ''],
    ['65,001 bytes', 'x'.repeat(65_001)],
  ])('with %s cannot be kept', (_, value) => {
    expect(whyUnfitSecret(bytes(value))).toBeDefined();
  });

  test.each([
    ['a plain token', 'apkg_one-EXAMPLE'],
    ['bytes above ASCII', 'one\u00e9'],
    ['65,000 bytes, the most that can be stored', 'x'.repeat(65_000)],
  ])('that is %s can', (_, value) => {
    expect(whyUnfitSecret(bytes(value))).toBeUndefined();
  });

  test('that cannot be kept is disposed of, and the reason has nothing of it', () => {
    const broken = secretFromText('sesame\n-EXAMPLE');
    const { secrets, unfit } = siftSecrets(
      new Map([
        ['value', broken],
        ['refreshToken', secretFromText('fine-EXAMPLE')],
      ]),
    );
    expect([...secrets.keys()]).toEqual(['refreshToken']);
    expect([...unfit.keys()]).toEqual(['value']);
    expect(unfit.get('value')).not.toContain('sesame');
    expect(() => expose(broken)).toThrow();
  });
});

describe('an id of an answer', () => {
  const long = 'a'.repeat(257);

  test.each([
    ['is longer than 256 characters', long, /longer than 256/],
    ['holds a line feed', 'one\ntwo', /control character/],
    ['is a number that JSON has rounded', 2 ** 64, /exactly/],
    ['is no text', { one: 1 }, /no text/],
  ])('that %s is left out, never cut', (_, id, why) => {
    expect(readable({ id, name: 'ci' })).toEqual({ name: 'ci' });
    expect(whyUnfitId({ id })).toMatch(why);
  });

  test('of 256 characters, and a whole number, is kept as it is', () => {
    expect(readable({ id: long.slice(1) })).toEqual({ id: long.slice(1) });
    expect(readable({ id: 42 })).toEqual({ id: '42' });
    expect(whyUnfitId({ id: 42 })).toBeUndefined();
    expect(whyUnfitId({})).toBeUndefined();
  });

  test('of a user or a tenant goes by the same rule, and a text for people is cut', () => {
    expect(readable({ user: long, tenant: 'two\u001b', account: 'ada' })).toEqual({ account: 'ada' });
    expect(readable({ name: 'n'.repeat(2_000) }).name).toHaveLength(1_024);
    expect(readable({ scopes: ['read', long, 'wri\nte'] })).toEqual({ scopes: ['read'] });
  });

  test('and no secret is in what is handed on as text', () => {
    expect(readable({ value: 'v-EXAMPLE', refreshToken: 'r-EXAMPLE', challenge: 'c-EXAMPLE', id: 'x' })).toEqual({
      id: 'x',
    });
  });
});
