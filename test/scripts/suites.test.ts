import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';

const root = join(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

test('every project of vitest is run by one stage of .ci/run as root, and by one alone', () => {
  const projects = (config.test?.projects ?? []) as { test: { name: string } }[];
  const commands = [...read('.ci/run').matchAll(/^stage '.*' npm (?:run )?(test[:a-z]*)$/gm)].map(
    ([, name]) => scripts[name!]!,
  );
  const run = commands.flatMap((command) => [...command.matchAll(/--project (\w+)/g)].map(([, name]) => name!));
  expect(run.toSorted()).toEqual(projects.map(({ test }) => test.name).toSorted());
});

test('the README’s test command is run as a user without rights, too, and ends the run', () => {
  const command = /^ {4}(npm ci && npm test)$/m.exec(read('README.md'))?.[1];
  expect(command).toBeDefined();
  const ci = read('.ci/run');
  for (const part of command!.split(' && ')) expect(ci).toMatch(new RegExp(`^ +as_plain_user ${part}\\b`, 'm'));
  expect([...ci.matchAll(/^stage .*$/gm)].at(-1)?.[0]).toMatch(/ test_as_plain_user$/);
});

test('npm run check leaves out the files that start programs, and npm test runs them', () => {
  expect(scripts['check']).toMatch(/--project unit$/);
  expect(scripts['test']).toMatch(/--project unit --project processes\b/);
});
