import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationOf, kindOf, lifetimeOf, secondsOf } from '../../../protocol/services/index.ts';
import { service } from './manifests.ts';

describe('a duration', () => {
  test.each([
    ['90d', 7_776_000],
    ['24h', 86_400],
    ['30m', 1_800],
    ['45s', 45],
    ['never', Number.POSITIVE_INFINITY],
    ['0d', undefined],
    ['-1d', undefined],
    ['1w', undefined],
    ['1.5h', undefined],
    ['99999999999d', undefined],
    ['9999999999d', undefined],
    ['', undefined],
  ])('%j is %s seconds', (text, seconds) => expect(secondsOf(text)).toBe(seconds));

  test('written and read again is the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000_000 }), (seconds) => {
        expect(secondsOf(durationOf(seconds))).toBe(seconds);
      }),
    );
  });
});

describe('lifetimeOf', () => {
  const lifetime = (id: string, kind?: string, asked?: string) =>
    lifetimeOf(service(id), kind === undefined ? undefined : kindOf(service(id), kind), asked);

  test('is what was asked for, if the service takes it', () => {
    expect(lifetime('apkg', 'ci', '30d')).toEqual({ status: 'ok', duration: '30d', seconds: 2_592_000 });
    expect(lifetime('apkg', 'ci', '720h')).toMatchObject({ status: 'ok', duration: '30d' });
    expect(lifetime('apkg', 'ci')).toMatchObject({ duration: '90d' });
  });

  test('says what the service takes when it does not take that', () => {
    expect(lifetime('apkg', 'ci', '31d')).toEqual({
      status: 'unfit',
      why: 'cannot make a token for 31d; apkg takes 30d, 90d, 365d',
    });
    expect(lifetime('pangolin', 'session', '366d')).toEqual({
      status: 'unfit',
      why: 'cannot make a token for 366d: Pangolin allows 8760h',
    });
    expect(lifetime('podstack', 'pat', 'soon')).toMatchObject({
      status: 'unfit',
      why: expect.stringMatching(/^cannot take this lifetime/),
    });
  });

  test('warns of never', () => {
    expect(lifetime('podstack', 'pat', 'never')).toMatchObject({
      status: 'ok',
      seconds: Number.POSITIVE_INFINITY,
      warning: 'it never expires: somebody must remember to revoke it',
    });
  });

  test('leaves to the service what nobody said', () => {
    expect(lifetime('pogodoc')).toEqual({ status: 'ok', duration: undefined, seconds: undefined });
  });
});
