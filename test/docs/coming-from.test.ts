import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** How many rows each tool has. */
const counts = { P: 27, D: 52, K: 27, G: 30, S: 38 };
const expected = Object.entries(counts).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, at) => `${letter}${at + 1}`),
);

type Row = { readonly id: string; readonly here: string; readonly status: string; readonly rest: string };

const rows: Row[] = [...read('docs/coming-from.md').matchAll(/^\| ([PDKGS]\d+) \|(.*)\|$/gm)].map(([, id, cells]) => {
  const [, here = '', status = '', rest = ''] = cells!.split(/(?<!\\)\|/).map((cell) => cell.trim());
  return { id: id!, here, status, rest };
});
const withStatus = (status: string) => rows.filter((row) => row.status === status);
const idsOf = (some: readonly Row[]) => some.map(({ id }) => id);

describe('docs/coming-from.md', () => {
  test('has every row once, in order', () => {
    expect(idsOf(rows)).toEqual(expected);
  });

  test('has one of four words in the column for the status', () => {
    const known = ['works', 'not yet', 'documentation', 'left out'];
    expect(rows.filter(({ status }) => !known.includes(status))).toEqual([]);
  });

  test.each(withStatus('works'))('$id works, and the test that it names is there', ({ rest, here }) => {
    const tests = [...rest.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map(([, path]) => path!);
    expect(tests.length).toBeGreaterThan(0);
    for (const path of tests) expect(existsSync(join(root, path)), path).toBe(true);
    expect(here).not.toBe('');
  });

  test('names the command that will do what is not there yet', () => {
    expect(withStatus('not yet').filter(({ here }) => !here.includes('`keyhold '))).toEqual([]);
  });

  test('sends to a page that is there for what is documentation, and to no other rows', () => {
    const documented = withStatus('documentation');
    expect(idsOf(documented)).toEqual([
      'D19',
      'D20',
      'D21',
      'D22',
      'D23',
      'D48',
      'D49',
      'D50',
      'K13',
      'G22',
      'S17',
      'S18',
      'S19',
      'S20',
    ]);
    for (const { id, rest } of documented) {
      const page = /\]\((ci|incident)\.md\)/.exec(rest)?.[1];
      expect(read(`docs/${page}.md`), `${id} in ${page}.md`).toMatch(new RegExp(`\\b${id}\\b`));
    }
  });

  test('gives a reason for what is left out, which is nothing else', () => {
    const out = withStatus('left out');
    expect(idsOf(out)).toEqual(['P26', 'D4', 'D16', 'D24', 'D51', 'K18', 'S29', 'S32']);
    for (const { id, rest } of out) expect(rest.length, id).toBeGreaterThan(30);
  });
});

describe("the stand-ins' tests", () => {
  const folder = 'test/fakes/services';
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith('.test.ts'));

  test.each(files)('%s names rows that there are, and of its own service only', (name) => {
    const letter = { pogo: 'P', pogodoc: 'D', apkg: 'K', pangolin: 'G', podstack: 'S' }[name.replace('.test.ts', '')];
    const titles = [...read(join(folder, name)).matchAll(/\(([A-Z]\d+(?:, [A-Z]\d+)*)\)/g)];
    const named = titles.flatMap(([, ids]) => ids!.split(', '));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((id) => !expected.includes(id) || !id.startsWith(letter!))).toEqual([]);
  });
});
