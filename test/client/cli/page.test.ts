import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Page } from '../../../client/cli/page.ts';

const lines = (rows: readonly (readonly string[])[], headings = ['FOR', 'NAME', 'USES']) =>
  new Page().table(headings, rows).text().trimEnd().split('\n');

it('sets a table in columns, and leaves nothing behind the last cell that says something', () => {
  expect(
    lines([
      ['https://a.example', 'ada', '1'],
      ['b', '', ''],
      ['c', '', '22'],
    ]),
  ).toEqual(['FOR                NAME  USES', 'https://a.example  ada   1', 'b', 'c                        22']);
});

it('cuts the widest column until a row fits', () => {
  const [heading, row] = lines([[`https://${'a'.repeat(100)}`, 'ada', '1']]);
  expect(row).toHaveLength(heading!.length - 'USES'.length + 1);
  expect(row).toMatch(/^https:\/\/a+… {2}ada {3}1$/);
});

it('keeps every row to its line, whatever steers a terminal in it, and its columns, whatever is wide in it', () => {
  const [, one, two, more] = lines([
    ['a\nb', 'eve\u202e\u001b[31m', '1'],
    ['a', 'grace 🎩', '2'],
  ]);
  expect(more).toBeUndefined();
  expect(one).toBe('a\\u{a}b  eve\\u{202e}\\u{1b}[31m  1');
  expect([...two!].indexOf('2')).toBe([...one!].lastIndexOf('1'));
});

it('sets a table by its columns as by its rows, whether or not all is plain', () => {
  const headings = ['FOR', 'NAME', 'USES'];
  const cell = fc.string({ maxLength: 60, unit: fc.constantFrom(...'abc-./ …', 'é', '🎩', '\n') });
  const plain = fc.string({ maxLength: 60, unit: fc.constantFrom(...'abc-./ …') });
  const rowsOf = (one: fc.Arbitrary<string>) =>
    fc.array(fc.oneof(fc.tuple(one, one, one), fc.tuple(one, one, fc.constant(''))), { maxLength: 8 });
  fc.assert(
    fc.property(fc.oneof(rowsOf(cell), rowsOf(plain)), (rows) => {
      const columns = headings.map((_, at) => rows.map((row) => row[at]!));
      expect(new Page().columns(headings, columns).text()).toBe(new Page().table(headings, rows).text());
    }),
  );
});
