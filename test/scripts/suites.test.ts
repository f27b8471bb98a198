import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import config from '../../vitest.config.ts';

const root = join(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

test('every project of vitest is run by one of the commands of .ci/run, and by one alone', () => {
  const projects = (config.test?.projects ?? []) as { test: { name: string } }[];
  const commands = [...read('.ci/run').matchAll(/^npm (?:run )?(test[:a-z]*)$/gm)].map(([, name]) => scripts[name!]!);
  const run = commands.flatMap((command) => [...command.matchAll(/--project (\w+)/g)].map(([, name]) => name!));
  expect(run.toSorted()).toEqual(projects.map(({ test }) => test.name).toSorted());
});
