import { Argument, type Command } from 'commander';
import { actions } from '../../protocol/actions.ts';
import { exitCodeOf, type Status, statuses } from '../../protocol/status.ts';
import { CommandFailure } from './failure.ts';
import { Page } from './page.ts';

type Topic = { readonly summary: string; readonly text: () => string };

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

const topics: Readonly<Record<string, Topic>> = {
  start: {
    summary: 'the first five minutes',
    text: () => `
Install a copy that outlives this folder, and let git ask it:

  $ keyhold install
  $ keyhold setup git

Keep a token. It is asked for without being shown:

  $ keyhold token set --for https://git.example --username ada

See what is held, and how the agent is:

  $ keyhold token list
  $ keyhold status

Something is not right:

  $ keyhold doctor

Take everything back, as if it had never been there:

  $ keyhold uninstall --purge
`,
  },
  git: {
    summary: 'git and its tokens',
    text: () => `
Let git ask keyhold, after a look at what would be written:

  $ keyhold setup git --dry-run
  $ keyhold setup git

The empty line that it writes takes out the helpers that git asked until then,
your system's too, so that nobody else is told your tokens. From then on git
stores what a server accepted, and erases what it refused.
You may also put a token in before git asks:

  $ keyhold token set --for https://git.example --username ada

What git would get, said by git itself:

  $ printf 'protocol=https\\nhost=git.example\\n\\n' | git credential fill

Undo it:

  $ keyhold setup git --undo
`,
  },
  backends: {
    summary: 'where tokens rest',
    text: () => `
keyring   the keyring of your desktop
vault     an encrypted file of keyhold's own
memory    nothing rests anywhere; gone when the agent ends

  $ keyhold backend list
  $ keyhold backend migrate keyring

Where the keyring has gone, and what it keeps cannot be carried over:

  $ keyhold config set backend vault
  $ keyhold restart

A vault's key lies in a file beside it, until you give it a passphrase:

  $ keyhold backend passphrase
  $ keyhold backend passphrase --remove

A copy of everything, sealed by a passphrase:

  $ keyhold backup tokens.keyhold
  $ keyhold restore tokens.keyhold
`,
  },
  locking: {
    summary: 'lock, unlock and leases',
    text: () => `
Forget everything in memory, and serve nothing until unlock:

  $ keyhold lock
  $ keyhold unlock

Only unlock may make your desktop ask for a password. In a script:

  $ keyhold unlock --stdin < passphrase-file

How long a token stays in memory unused, and at all:

  $ keyhold config set lease.idle 30m
  $ keyhold config set lease.max 8h
  $ keyhold restart
`,
  },
  scripts: {
    summary: 'keyhold from a script',
    text: () => `
One value:

  $ token=$(keyhold token print --for https://git.example)

The line protocol, much faster (a thin native program, no Node):

  $ printf 'protocol=https\\nhost=git.example\\n\\n' | keyhold get

A token comes in by standard input or a file descriptor, never as an argument:

  $ keyhold token set --for https://git.example --stdin < token-file
  $ keyhold token set --for https://git.example --fd 3 3< token-file

Every other verb takes --json (one JSON document) and --no-input (never asks;
what would ask ends with ${exitCodeOf('interaction-required')}). See: keyhold help exit-codes
`,
  },
  wire: { summary: 'the actions of the wire', text: wireTable },
  'exit-codes': { summary: 'what each exit code means', text: exitCodes },
};

/** Every topic, for completion and tests. */
export const topicNames: readonly string[] = Object.keys(topics);

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

/** The action table of protocol/actions.ts, so that this page cannot differ from it. */
function wireTable(): string {
  const page = new Page();
  page
    .line('Requests are key=value lines on the socket agent.sock, ended by an empty line; the first is action=NAME.')
    .line();
  for (const [name, { summary, reads, answers, statuses: ends }] of Object.entries(actions)) {
    page.line(`${name}: ${summary}`, 'bold', '  ');
    if (reads) page.line(`  reads ${reads}`, undefined, '    ');
    if (answers) page.line(`  answers ${answers}`, undefined, '    ');
    page.line(`  ends ${ends.join(', ')}`, undefined, '    ');
  }
  return page.text();
}

function exitCodes(): string {
  const ordered = (Object.keys(statuses) as Status[]).sort((a, b) => exitCodeOf(a) - exitCodeOf(b));
  const rows = ordered.map((status) => [String(exitCodeOf(status)), status, statuses[status].meaning]);
  return new Page()
    .table(
      ['CODE', 'STATUS', 'MEANING'],
      [rows[0]!, ['1', '', 'the command failed, or a person said no'], ...rows.slice(1)],
    )
    .line('130 follows ctrl-C.')
    .text();
}
