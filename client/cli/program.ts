import { Command, CommanderError } from 'commander';
import { describeSystemError } from '../../platform/system-error.ts';
import { asFault } from '../../protocol/errors.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { refuseWriting, takeAsRoot } from '../as-root.ts';
import { addAsked, type Entry } from './entries.ts';
import { CommandFailure } from './failure.ts';
import { goByProfile } from './go-by-profile.ts';
import { jsonLine, remark } from './page.ts';

/** Every noun, in the order that `keyhold --help` lists them. A new one is its file in cli/ and its line here. */
const nouns: readonly Entry[] = [
  [['install', 'uninstall'], async () => (await import('./install.ts')).addInstall],
  [['start', 'stop', 'restart', 'logs'], async () => (await import('./lifecycle.ts')).addLifecycle],
  [['setup'], async () => (await import('./setup.ts')).addSetup],
  [['import'], async () => (await import('./import.ts')).addImport],
  [['status'], async () => (await import('./status.ts')).addStatus],
  [['doctor'], async () => (await import('./doctor.ts')).addDoctor],
  [['lock', 'unlock'], async () => (await import('./lock.ts')).addLock],
  [['token'], async () => (await import('./token.ts')).addToken],
  [['auth'], async () => (await import('./auth.ts')).addAuth],
  [['exec'], async () => (await import('./exec.ts')).addExec],
  [['env'], async () => (await import('./env.ts')).addEnv],
  [['profile'], async () => (await import('./profile.ts')).addProfile],
  [['service'], async () => (await import('./service.ts')).addService],
  [['backend'], async () => (await import('./backend.ts')).addBackend],
  [['backup', 'restore'], async () => (await import('./backup.ts')).addBackup],
  [['audit'], async () => (await import('./audit.ts')).addAudit],
  [['watch'], async () => (await import('./watch.ts')).addWatch],
  [['config'], async () => (await import('./config.ts')).addConfig],
  [['get', 'store', 'erase'], async () => (await import('./line.ts')).addLineProtocol],
  [['completion'], async () => (await import('./completion.ts')).addCompletion],
  [['help'], async () => (await import('./help.ts')).addHelp],
];

/** Nouns that tell of all the others. */
const OVERVIEW: ReadonlySet<string> = new Set(['completion', 'help']);

const USAGE = exitCodeOf('bad-request');

/**
 * All commands, with their options and help; for a run that begins with `words` what they ask for alone, where it is
 * there: to read and add all of them costs more than most commands do.
 */
export async function openProgram(words: readonly string[] = []): Promise<Command> {
  const program = new Command('keyhold')
    .description('Keeps your tokens ready for git and every other tool.')
    .showHelpAfterError('(more: keyhold help)')
    .option('-V, --version', 'the version of this client and of the running agent')
    .helpCommand(false)
    .enablePositionalOptions()
    .option('--as-root', 'write below a HOME that belongs to another user, as root')
    .hook('preAction', (_, command) => {
      refuseWriting(nameOf(command));
      return goByProfile(command);
    })
    .configureOutput({ outputError: (text, write) => write(usageError(text)) })
    .exitOverride();
  await addAsked(program, nouns, OVERVIEW.has(words[0] ?? '') ? [] : words);
  return program;
}

/** Runs one command and answers its exit code; the one place where a command's failure is caught. */
export async function runCommand(words: readonly string[]): Promise<number> {
  const args = takeAsRoot(words);
  if (args[0] === '--version' || args[0] === '-V') {
    const { versions } = await import('./versions.ts');
    process.stdout.write(await versions());
    return 0;
  }
  const program = await openProgram(args);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    const ours = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
    const code = failed(error, ours.includes('--json'));
    return args[0] === 'exec' ? (await import('./exec.ts')).exitCodeOfExec(code) : code;
  }
}

/** A command's words behind `keyhold`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

function failed(error: unknown, json: boolean): number {
  // commander has said what was wrong already; help that was asked for is none of a failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { exitCode, message } =
    error instanceof CommandFailure
      ? error
      : { exitCode: exitCodeOf(asFault(error).status), message: describeSystemError(error) ?? asFault(error).message };
  // Without a message the command has shown its outcome already.
  if (message === '') return exitCode;
  // On one line: it may come behind others, from a command that prints one document a line.
  if (json) process.stdout.write(`${jsonLine({ error: { exitCode, message } })}\n`);
  remark(`keyhold: ${message}`);
  return exitCode;
}

/**
 * What commander says in the form of our own messages, without the arguments that it repeats: one of them could be a
 * token, pasted in the wrong place.
 */
function usageError(text: string): string {
  const line = text
    .trimEnd()
    .replace(/^error: /, 'keyhold: ')
    .replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?')
    .replace(/command-argument value '.*' is invalid for argument '(.*)'\. Allowed choices are /s, '$1 is one of ')
    .replace(/ argument '.*' is invalid\. /s, ' is invalid: ')
    .replace(/ Expected \d+ arguments? but got .*$/s, '')
    .replace(/(unknown option '[^'=]*)=.*$/s, "$1'")
    .replace(/\.$/, '');
  return `${printable(line)}\n`;
}
