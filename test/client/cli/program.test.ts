import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { openProgram } from '../../../client/cli/program.ts';

/** A command and all below it: names, arguments and options. */
function shapeOf(command: Command): unknown {
  const options = command.options.map(({ flags, description }) => `${flags} ${description}`);
  return [command.name(), command.usage(), command.description(), options, command.commands.map(shapeOf)];
}

/** What a run that begins with `words` may find. */
async function namesFor(...words: string[]): Promise<string[]> {
  return (await openProgram(words)).commands.map((command) => command.name());
}

it('a command is the same whether it was added alone or with all others', async () => {
  const all = await openProgram();
  expect(all.commands.length).toBeGreaterThan(25);
  for (const command of all.commands) {
    const found = (await openProgram([command.name()])).commands.find((one) => one.name() === command.name());
    expect(found && shapeOf(found), command.name()).toEqual(shapeOf(command));
    for (const verb of command.commands) {
      const words = [command.name(), verb.name()];
      const noun = (await openProgram(words)).commands.find((one) => one.name() === command.name());
      const alone = noun?.commands.find((one) => one.name() === verb.name());
      expect(alone && shapeOf(alone), words.join(' ')).toEqual(shapeOf(verb));
    }
  }
});

it('only what stands alone is added alone: what tells of all, and what nobody knows, sees every command', async () => {
  expect(await namesFor('token')).toEqual(['token']);
  expect(await namesFor('stop')).toEqual(['start', 'stop', 'restart', 'logs']);
  for (const word of ['help', 'completion', '--help', 'tokne', '']) {
    expect(await namesFor(word), word).toEqual(await namesFor());
    expect(await namesFor(word, 'token', 'list'), word).toEqual(await namesFor());
  }
});

it('a verb of a token is added alone, too', async () => {
  const verbsFor = async (...words: string[]) =>
    (await openProgram(['token', ...words])).commands[0]!.commands.map((command) => command.name());
  expect(await verbsFor('list', '--json')).toEqual(['list']);
  for (const word of ['--help', 'lits']) expect(await verbsFor(word), word).toEqual(await verbsFor());
  expect((await verbsFor()).length).toBeGreaterThan(10);
});
