import type { Command } from 'commander';

/** What every verb takes. */
export type VerbOptions = {
  /** One JSON document on standard output in place of text for people. */
  readonly json?: boolean;
  /** False: ask nothing; what would ask ends with 6. */
  readonly input: boolean;
  /** The profile to go by, in place of what KEYHOLD_PROFILE, the folder or the default choose. */
  readonly profile?: string;
};

/** What a verb takes that takes something away. */
export type DestructiveOptions = VerbOptions & { readonly yes?: boolean };

/** Adds a verb with the options that all share. `usage` is its name and arguments, as commander writes them. */
export function addVerb(parent: Command, usage: string, summary: string): Command {
  return child(parent, usage)
    .description(summary)
    .option('--json', 'print one JSON document')
    .option('--no-input', 'never ask; exit with 6 instead')
    .option('--profile <name>', 'the profile to go by');
}

/** The same for a verb that asks before it takes something away. */
export function addDestructiveVerb(parent: Command, usage: string, summary: string): Command {
  return addVerb(parent, usage, summary).option('--yes', 'do it without asking');
}

/** What the `--for` of a token takes. */
export const FOR = 'what it is for: protocol://[user@]host[:port][/path]';

/** Adds the options that say which token is meant, or what for. */
export function addTarget(command: Command): Command {
  return command.option('--for <url>', FOR).option('--username <name>', 'whose it is');
}

/** A noun: a command that does nothing by itself. */
export function addNoun(program: Command, name: string, summary: string): Command {
  return child(program, name).description(summary).helpCommand(false);
}

/** A command whose mistakes point at its own help. */
function child(parent: Command, usage: string): Command {
  const command = parent.command(usage);
  const words = [command.name()];
  for (let above = parent; above.parent; above = above.parent) words.unshift(above.name());
  return command.showHelpAfterError(`(more: keyhold help ${words.join(' ')})`);
}
