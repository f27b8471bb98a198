import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { openProgram } from '../../../client/cli/program.ts';

/** A command and all below it: names, arguments and options. */
function shapeOf(command: Command): unknown {
  const options = command.options.map(({ flags, description }) => `${flags} ${description}`);
  return [command.name(), command.usage(), command.description(), options, command.commands.map(shapeOf)];
}

it('a command is the same whether it was added alone or with all others', () => {
  const all = openProgram();
  expect(all.commands.length).toBeGreaterThan(25);
  for (const command of all.commands) {
    const alone = openProgram(command.name()).commands.find((one) => one.name() === command.name());
    expect(alone && shapeOf(alone), command.name()).toEqual(shapeOf(command));
  }
});

it('only what stands alone is added alone: what tells of all, and what nobody knows, sees every command', () => {
  const names = (word?: string) => openProgram(word).commands.map((command) => command.name());
  expect(names('token')).toEqual(['token']);
  expect(names('stop')).toEqual(['start', 'stop', 'restart', 'logs']);
  for (const word of ['help', 'completion', '--help', 'tokne', '']) expect(names(word), word).toEqual(names());
});
