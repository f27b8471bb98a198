import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fill, fillMember, placeholders, placeholdersIn } from '../../../protocol/services/index.ts';

describe('a template', () => {
  test('is filled with values, each encoded and none looked into', () => {
    expect(fill('/tokens/{id}', { id: 'a/../b?c' }, encodeURIComponent)).toBe('/tokens/a%2F..%2Fb%3Fc');
    expect(fill('/{id}', { id: '\ud800' }, encodeURIComponent)).toBe('/%EF%BF%BD');
    expect(fill('{name}', { name: '{id}', id: 'x' })).toBe('{id}');
  });

  test('without a value is not filled at all', () => {
    expect(fill('/tokens/{id}', {})).toBeUndefined();
    expect(fill('/tokens/{constructor}', {})).toBeUndefined();
    expect(fill('x{scopes}', { scopes: ['a'] })).toBeUndefined();
  });

  test('that is one placeholder keeps the type of its value', () => {
    expect(fillMember('{scopes}', { scopes: ['read', 'publish'] })).toEqual(['read', 'publish']);
    expect(fillMember('{lifetime.hours}', { 'lifetime.hours': 24 })).toBe(24);
    expect(fillMember('for {name}', { name: 'ci' })).toBe('for ci');
    expect(fillMember('{limit}', {})).toBeUndefined();
    expect(fillMember(3, {})).toBe(3);
  });

  test('with a lone brace is none', () => {
    for (const text of ['{', '}', '{{id}}', '{id', 'a}b', '{a{b}']) expect(placeholdersIn(text)).toBeUndefined();
    expect(placeholdersIn('{id}/{nope}')).toEqual(['id', 'nope']);
  });

  test('an encoded value never brings a slash, a question mark or a brace into a path', () => {
    const names = Object.keys(placeholders).filter((name) => name !== 'scopes');
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string({ unit: 'grapheme' }), (name, value) => {
        const path = fill(`/x/{${name}}/y`, { [name]: value }, encodeURIComponent)!;
        expect(path.split('/')).toHaveLength(4);
        expect(path).not.toMatch(/[?#{}\s]/);
      }),
    );
  });
});
