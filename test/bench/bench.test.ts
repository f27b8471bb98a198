import { describe, expect, it } from 'vitest';
import { adapterFor } from '../../protocol/tools/index.ts';
import { figures, type Measured } from './figures.ts';
import { credentials, target } from './fixture.ts';
import { helperGets, helperNames } from './questions.ts';
import { median, percentile, ratioOf } from './statistics.ts';
import { json, markdown, verdictOf } from './table.ts';
import { parseLoad, parsePbench, parseTfa } from './tools.ts';

describe('the table of figures', () => {
  it('has a row for every figure, measured, missing or not asked for', () => {
    const results = new Map<string, Measured>([
      [figures[0]!.id, { value: 0.2, note: 'so' }],
      [figures[1]!.id, { missing: 'needs gh (apt-get install gh)' }],
    ]);
    const rows = markdown(figures, results).split('\n').slice(2);
    expect(rows).toHaveLength(figures.length);
    expect(rows[0]).toContain('| 0.20 | pass, aim reached | so |');
    expect(rows[1]).toContain('not measured: needs gh (apt-get install gh)');
    expect(rows[2]).toContain('not asked for');
    expect((JSON.parse(json(figures, results, {})) as { figures: unknown[] }).figures).toHaveLength(figures.length);
  });

  it('names every figure once', () => {
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
  });

  it('tells a pass from a miss in both directions', () => {
    const of = (better: 'less' | 'more', value: number) =>
      verdictOf(
        { id: 'a', what: 'a', unit: 'x', better, target: 2, aim: better === 'less' ? 1 : 3 },
        { value, note: '' },
      );
    expect([of('less', 2.1), of('less', 2), of('less', 1)]).toEqual(['MISS', 'pass', 'pass, aim reached']);
    expect([of('more', 1.9), of('more', 2), of('more', 3)]).toEqual(['MISS', 'pass', 'pass, aim reached']);
  });
});

describe('what the tools print', () => {
  it('becomes series by name, failures counted', () => {
    const runs = parsePbench('git\t10.5\t3\t4000\t1\nours\t2\t1\t700\t1\ngit\t11\t3\t4001\t0\n');
    expect(runs.get('git')).toEqual({ wall: [10.5, 11], memory: [4000, 4001], failures: 1 });
    expect(runs.get('ours')?.failures).toBe(0);
    expect(parseTfa('node\t25000.1\t1\n').get('node')?.wall).toEqual([25000.1]);
  });

  it('becomes a load', () => {
    expect(parseLoad('8000\t0.25\t32000.0\t900.1\t2000.2\t25.125\t0\n')).toEqual({
      requests: 8000,
      rate: 32000,
      cpu: 25.125,
      failures: 0,
    });
  });

  it('is refused when it is something else', () => {
    expect(() => parsePbench('no such file\n')).toThrow("cannot read a tool's line");
    expect(() => parseLoad('')).toThrow('cannot read');
  });
});

describe("a get by a tool's helper", () => {
  it('has a row for every tool, and the bounds that hold for it', () => {
    const bounds = figures.filter(({ id }) => id.startsWith('tool/')).map(({ id, target }) => [id, target]);
    expect(bounds).toEqual([
      ...helperNames.map((name) => [`tool/${name}`, name === 'cargo' ? 2 : 1.5]),
      ['tool/docker-peer', 0.05],
      ['tool/keyring-peer', 0.005],
    ]);
  });

  it.each(helperNames)('is run by a name that %s has an adapter for, in words that pbench can split', (name) => {
    const { program, args, environment = [] } = helperGets[name];
    // keyhold-helper takes the tool's name as its first word, and is then what setup would link.
    const adapter = adapterFor(program === 'keyhold-helper' ? `keyhold-${args[0]}` : program);
    expect(adapter?.name).toBe(name);
    for (const word of [program, ...args, ...environment]) expect(word).toMatch(/^[^\s<][^\s]*$/);
    for (const variable of environment) expect(variable).toMatch(/^[A-Z_]+=/);
  });
});

describe('the numbers', () => {
  it('are medians, percentiles, and ratios round by round', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([1, 2])).toBe(1.5);
    expect(percentile([0, 10], 0.9)).toBeCloseTo(9);
    expect(ratioOf([1, 20, 3], [2, 10, 6])).toBe(0.5);
  });

  it('come from as many credentials as were asked for, the target last', () => {
    const all = [...credentials(3)];
    expect(all).toHaveLength(3);
    expect(all.at(-1)).toContain(`host=${target.host}\nusername=${target.username}\n`);
  });
});
