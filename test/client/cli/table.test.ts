import fc from 'fast-check';
import { expect, it } from 'vitest';
import { blocks, plainTable, tableOf } from '../../../client/cli/table.ts';
import { widthOf } from '../../../client/cli/width.ts';
import { printable } from '../../../protocol/text.ts';

const HEADINGS = ['FOR', 'NAME', 'USES'];
const linesIn = (room: number, rows: readonly (readonly string[])[], more = {}) => {
  const table = tableOf(HEADINGS, rows, { room, ...more });
  return table && [table.heading, ...table.lines];
};

it('sets a table in columns, and leaves nothing behind the last cell that says something', () => {
  expect(
    linesIn(80, [
      ['https://a.example', 'ada', '1'],
      ['b', '', ''],
      ['c', '', '22'],
    ]),
  ).toEqual(['FOR                NAME  USES', 'https://a.example  ada   1', 'b', 'c                        22']);
});

it('cuts the widest column until a row fits in the terminal', () => {
  const [heading, row] = linesIn(80, [[`https://${'a'.repeat(100)}`, 'ada', '1']])!;
  expect(row).toHaveLength(heading!.length - 'USES'.length + 1);
  expect(heading).toHaveLength(80);
  expect(row).toMatch(/^https:\/\/a+… {2}ada {3}1$/);
});

it('cuts and wraps nothing without a terminal', () => {
  const long = `https://${'a'.repeat(300)} and more`;
  expect(linesIn(Number.POSITIVE_INFINITY, [['x', 'ada', long]], { wrapLast: true })![1]).toBe(`x    ada   ${long}`);
  expect(linesIn(Number.POSITIVE_INFINITY, [[long, 'ada', '1']])![1]).toContain(long);
});

it('keeps its columns, whatever is wide or combines in a cell', () => {
  const names = ['日本語', 'grace 🎩', 'e\u0301ve', '👩‍👩‍👧 x', 'ada'];
  for (const room of [80, 34]) {
    const rows = names.map((name) => [`https://${name}.example`, name, '2']);
    const [heading, ...lines] = linesIn(room, rows)!;
    const before = (line: string) => widthOf(line.slice(0, line.lastIndexOf('2')));
    expect(lines.map(before)).toEqual(names.map(() => widthOf(heading!.slice(0, heading!.lastIndexOf('USES')))));
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(room);
  }
});

it('shows each row by itself where the terminal is too narrow for columns', () => {
  const rows = [
    ['https://registry.example', 'continuous-integration', '12345678901'],
    ['https://b', '', '2'],
  ];
  expect(linesIn(30, rows)).toBeUndefined();
  expect(blocks(HEADINGS, rows, 40)).toEqual([
    'FOR   https://registry.example',
    'NAME  continuous-integration',
    'USES  12345678901',
    '',
    'FOR   https://b',
    'USES  2',
  ]);
});

it('sets a table by its columns as by its rows, wherever all is plain', () => {
  const plain = fc.string({ maxLength: 60, unit: fc.constantFrom(...'abc-./ …') });
  const rows = fc.array(fc.oneof(fc.tuple(plain, plain, plain), fc.tuple(plain, plain, fc.constant(''))), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(rows, fc.constantFrom(40, 80, 200, Number.POSITIVE_INFINITY), (all, room) => {
      const columns = HEADINGS.map((_, at) => all.map((row) => row[at]!));
      const table = tableOf(HEADINGS, all, { room });
      const byColumns = plainTable(HEADINGS, columns, { room });
      expect(byColumns && [byColumns.heading, ...(all.length > 0 ? [byColumns.rows] : [])].join('\n')).toBe(
        table && [table.heading, ...table.lines].join('\n'),
      );
    }),
  );
});

it('keeps to its room, whatever is in it', () => {
  const cell = fc.string({ maxLength: 60, unit: fc.constantFrom(...'abc-./ …', 'é', '🎩', '語', 'e\u0301') });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 }),
      fc.integer({ min: 34, max: 100 }),
      (rows, room) => {
        const lines = linesIn(
          room,
          rows.map((row) => row.map(printable)),
        );
        for (const line of lines!) expect(widthOf(line)).toBeLessThanOrEqual(room);
      },
    ),
  );
});
