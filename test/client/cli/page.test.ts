import { expect, it } from 'vitest';
import { Page } from '../../../client/cli/page.ts';

it('keeps every row to its line, whatever steers a terminal in it', () => {
  const rows = [
    ['a\nb', 'eve\u202e\u001b[31m', '1'],
    ['a', 'grace 🎩', '2'],
  ];
  const headings = ['FOR', 'NAME', 'USES'];
  const [, one, two, more] = new Page().table(headings, rows).text().trimEnd().split('\n');
  expect(more).toBeUndefined();
  expect(one).toBe('a\\u{a}b  eve\\u{202e}\\u{1b}[31m  1');
  expect(two).toMatch(/^a {8}grace 🎩 +2$/);
  const columns = headings.map((_, at) => rows.map((row) => row[at]!));
  expect(new Page().columns(headings, columns).text()).toBe(new Page().table(headings, rows).text());
});
