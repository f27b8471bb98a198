import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LINE_MAX, LINES_MAX, PIPELINE_MAX, REQUEST_MAX, SECRET_MAX } from '../../protocol/limits.ts';
import { statuses } from '../../protocol/status.ts';
import { type ActionRow, actions } from '../../protocol/wire/actions.ts';

const specification = readFileSync(new URL('../../protocol/PROTOCOL.md', import.meta.url), 'utf8');

/** The rows between two marks, without the head of the table. */
function rows(mark: string): string[] {
  const [, between = ''] = new RegExp(`<!-- ${mark} -->\n(.*?)\n<!-- /${mark} -->`, 's').exec(specification) ?? [];
  return between.split('\n').slice(2);
}

const cell = (text: string) => (text === '' ? '–' : text.replaceAll('|', '\\|'));

function recorded(records: ActionRow['records'] = 'changes'): string {
  return typeof records === 'string' ? records : cell(`nothing: ${records.nothing}`);
}

it('PROTOCOL.md has the table of actions', () => {
  expect(rows('actions')).toEqual(
    Object.entries<ActionRow>(actions).map(
      ([name, { summary, reads, answers, statuses: ends, permission, records }]) =>
        `| \`${name}\` | ${cell(summary)} | ${cell(reads)} | ${cell(answers)} | ${ends.join(', ')} | ${permission} | ${recorded(records)} |`,
    ),
  );
});

it('PROTOCOL.md has the table of statuses', () => {
  expect(rows('statuses')).toEqual(
    Object.entries(statuses).map(
      ([name, { exitCode, meaning, remedy }]) => `| \`${name}\` | ${exitCode} | ${cell(meaning)} | ${cell(remedy)} |`,
    ),
  );
});

it('PROTOCOL.md has the limits', () => {
  for (const limit of [LINE_MAX, LINES_MAX, REQUEST_MAX, SECRET_MAX, PIPELINE_MAX]) {
    expect(specification).toContain(limit.toLocaleString('en-US'));
  }
});

it('no two statuses share an exit code', () => {
  const codes = Object.values(statuses).map(({ exitCode }) => exitCode);
  expect(new Set(codes).size).toBe(codes.length);
});
