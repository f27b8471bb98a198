import { Argument, type Command } from 'commander';
import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from './failure.ts';
import { topics } from './help-topics.ts';
import { Page } from './page.ts';

/** `keyhold help [TOPIC]`: by example. A topic may also be a command (`keyhold help token set`). */
export function addHelp(program: Command): void {
  program.addHelpText('after', () => topicList().trimEnd());
  const words = new Argument('[words...]', 'a topic, or a command');
  // Told to who completes or reads, and not enforced: what may follow a word depends on it.
  words.argChoices = [...topicNames, ...program.commands.map((command) => command.name())];
  program
    .command('help')
    .addArgument(words)
    .description('help by example: keyhold help TOPIC')
    .action((words: readonly string[]) => {
      process.stdout.write(helpFor(program, words));
    });
}

/** Every topic, for completion and tests. */
const topicNames: readonly string[] = Object.keys(topics);

function helpFor(program: Command, words: readonly string[]): string {
  const [topic] = words;
  if (topic === undefined) return `${program.helpInformation()}${topicList()}`;
  if (words.length === 1 && Object.hasOwn(topics, topic)) return topics[topic]!.text().trimStart();
  let command = program;
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word);
    if (!next) {
      throw new CommandFailure(
        exitCodeOf('bad-request'),
        `cannot help with "${words.join(' ')}": try ${topicNames.join(', ')}`,
      );
    }
    command = next;
  }
  return command.helpInformation();
}

function topicList(): string {
  const facts = Object.entries(topics).map(([name, { summary }]) => [`  ${name}`, summary] as const);
  return new Page().line().line('Topics (keyhold help TOPIC):').facts(facts).text();
}
