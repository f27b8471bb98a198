import { expect, it } from 'vitest';
import { fromColumns, toColumns } from '../../protocol/columns.ts';
import { LINE_MAX } from '../../protocol/limits.ts';

const names = ['id', 'label', 'uses'];
const defined = (things: Record<string, unknown>[]) => JSON.parse(JSON.stringify(things));

it('columns give back what was put in, in order, and nothing for what is absent', () => {
  const rows = Array.from({ length: 1_234 }, (_, at) => [`${at}`, at % 2 ? undefined : 'bu\u0308ro \u202e', at]);
  const columns = toColumns(names, rows);
  expect(columns.lines.length).toBeLessThan(20);
  expect(defined(fromColumns(columns))).toEqual(
    rows.map(([id, label, uses]) => (label === undefined ? { id, uses } : { id, label, uses })),
  );
  expect(fromColumns(toColumns(names, []))).toEqual([]);
});

it('no line is longer than a line may be, however long what is in it', () => {
  const long = '\u20ac'.repeat(2_000);
  const { columns, lines } = toColumns(
    names,
    [...Array(100).keys()].map((at) => [`${at}`, long, at]),
  );
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(LINE_MAX - 'rows[]=\n'.length);
  expect(fromColumns({ columns, lines })).toHaveLength(100);
  const [one] = fromColumns(toColumns(names, [['1', 'x'.repeat(LINE_MAX), 1]]));
  expect(one).toMatchObject({ id: '1', label: `${'x'.repeat(512)}…`, uses: 1 });
});
