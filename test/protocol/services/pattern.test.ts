import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matches, PATTERN_MAX, patternOf, VALUE_MAX } from '../../../protocol/services/pattern.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const runs = (pattern: string, text: string) => matches(patternOf(pattern), bytes(text));

/** Patterns of the language that JavaScript's RegExp reads the same way. */
const atom = fc.oneof(
  fc.constantFrom('a', 'b', '_', '-', '[ab]', '[a-c_]', '[^b]', '\\d', '\\w', '\\.', '(?:ab|c)', '(a|)', '(x(y|z))'),
);
const quantifier = fc.constantFrom('', '', '', '?', '*', '+', '{2}', '{1,3}', '{2,}', '{0}');
const sequence = fc
  .array(fc.tuple(atom, quantifier), { maxLength: 5 })
  .map((parts) => parts.map(([one, times]) => one + times).join(''));
const pattern = fc.array(sequence, { minLength: 1, maxLength: 3 }).map((all) => all.join('|'));
const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'x', 'y', '_', '-', '.', '7'), maxLength: 12 });

describe('a pattern', () => {
  test('says of every value what RegExp says of the whole of it', () => {
    fc.assert(
      fc.property(pattern, value, (one, text) => {
        // Of a negated class ours takes visible ASCII only, which is all that these values hold.
        expect(runs(one, text)).toBe(new RegExp(`^(?:${one})$`).test(text));
      }),
      { numRuns: 3_000 },
    );
  });

  test('is about the whole value, and about bytes of ASCII', () => {
    expect(runs('npm_[A-Za-z0-9]{4}', 'npm_ab12')).toBe(true);
    expect(runs('npm_[A-Za-z0-9]{4}', 'npm_ab12\n')).toBe(false);
    expect(runs('npm_[A-Za-z0-9]{4}', 'xnpm_ab12')).toBe(false);
    expect(runs('.{3}', 'a b')).toBe(false);
    expect(runs('.+', 'ä')).toBe(false);
    expect(runs('[^a]+', 'bc')).toBe(true);
  });

  test.each([
    ['(a+)+', 'a quantifier inside another'],
    ['((a|b)*c){2}', 'a quantifier inside another'],
    ['a**', 'two quantifiers in a row'],
    ['a+?', 'two quantifiers in a row'],
    ['^a$', 'the whole value'],
    ['(?=a)b', 'looks ahead'],
    ['(?<=a)b', 'looks ahead'],
    ['\\1', 'an escape other than'],
    ['\\s', 'an escape other than'],
    ['(a', '"(" without'],
    ['a)', '")" without'],
    ['[a', '"[" without'],
    ['[z-a]', 'backwards'],
    ['[]', 'empty class'],
    ['*a', 'nothing before it'],
    ['a{', 'no {n}'],
    ['a{3,2}', 'm is smaller'],
    ['ä', 'not printable ASCII'],
    ['a{9999}', 'more than 2048'],
    ['a'.repeat(PATTERN_MAX + 1), 'longer than'],
    [`${'('.repeat(20)}a${')'.repeat(20)}`, 'deep'],
  ])('%j is refused: it has %s', (text, why) => {
    expect(() => patternOf(text)).toThrow(why);
  });

  test('no text makes the reader do anything but read it or refuse it by name', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab()[]{}|*+?\\^-,12$.'), maxLength: 30 }), (text) => {
        try {
          patternOf(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_request' });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('that would keep a backtracking matcher busy for years is answered at once', () => {
    const began = performance.now();
    expect(matches(patternOf('(?:a|a|aa){1,60}b'), bytes('a'.repeat(4_000)))).toBe(false);
    expect(matches(patternOf('[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*0'), bytes('a'.repeat(VALUE_MAX)))).toBe(false);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('a value beyond the bound matches nothing', () => {
    expect(matches(patternOf('a*'), bytes('a'.repeat(VALUE_MAX)))).toBe(true);
    expect(matches(patternOf('a*'), bytes('a'.repeat(VALUE_MAX + 1)))).toBe(false);
  });
});
