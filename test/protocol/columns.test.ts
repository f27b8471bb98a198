import { expect, it } from 'vitest';
import { type Columns, linesOf, namesLine, tableFrom, tableOf, thingsOf } from '../../protocol/columns.ts';
import { LINE_MAX } from '../../protocol/limits.ts';

type Thing = { readonly id: string; readonly label?: string | undefined; readonly uses: number };

const defined = (things: readonly unknown[]) => JSON.parse(JSON.stringify(things));

function columnsOf(things: readonly Thing[]): Columns {
  const lines = linesOf(things.length, (start, end) => {
    const some = things.slice(start, end);
    return [
      some.map(({ id }) => id),
      some.map(({ label }) => label),
      some.map(() => undefined),
      some.map(({ uses }) => uses),
    ];
  });
  return { columns: namesLine(['id', 'label', 'origin', 'uses']), lines: [...lines] };
}

const back = (columns: Columns) => thingsOf(tableOf(columns));

it('columns give back what was put in, in order, and nothing for what is absent', () => {
  const things = Array.from({ length: 1_234 }, (_, at) => ({
    id: `${at}`,
    label: at % 2 || at > 900 ? undefined : 'bu\u0308ro \u202e',
    uses: at,
  }));
  const columns = columnsOf(things);
  expect(columns.lines.length).toBeLessThan(20);
  expect(defined(back(columns))).toEqual(defined(things));
  expect(back(columns).some((thing) => 'origin' in thing)).toBe(false);
  expect(back(columnsOf([]))).toEqual([]);
  expect(defined(thingsOf(tableOf(columns), [7, 900, 3]))).toEqual(defined([things[7], things[900], things[3]]));
});

it('no line is longer than a line may be, however long what is in it', () => {
  const long = '\u20ac'.repeat(2_000);
  const { columns, lines } = columnsOf([...Array(101).keys()].map((at) => ({ id: `${at}`, label: long, uses: at })));
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(LINE_MAX - 'rows[]=\n'.length);
  expect(back({ columns, lines }).map(({ uses }) => uses)).toEqual([...Array(101).keys()]);
  const [one] = back(columnsOf([{ id: '1', label: 'x'.repeat(LINE_MAX), uses: 1 }]));
  expect(one).toMatchObject({ id: '1', label: `${'x'.repeat(512)}\u2026`, uses: 1 });
});

it('what is the same in all is said once, unless it is a list itself', () => {
  const columns = { columns: namesLine(['uses', 'scopes', 'label']) };
  const one = [
    [3, 3],
    [['read'], ['read']],
    [undefined, undefined],
  ];
  const lines = [...linesOf(2, () => one)];
  expect(lines).toEqual(['[2,3,[["read"],["read"]],null]']);
  expect(defined(back({ ...columns, lines }))).toEqual([
    { uses: 3, scopes: ['read'] },
    { uses: 3, scopes: ['read'] },
  ]);
});

it('what is of another form is told, and not taken for nothing', () => {
  const rows = { columns: '["id"]', lines: ['[["1"],["2"]]'] };
  expect(() => tableOf(rows)).toThrow(/another version; run: keyhold restart/);
});

it('things that came one by one are a table, too', () => {
  const things = [{ id: '1' }, { id: '2', label: 'x', uses: 0 }];
  expect(defined(thingsOf(tableFrom(things)))).toEqual(things);
});
