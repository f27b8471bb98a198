import { Command, CommanderError } from 'commander';
import { asFault } from '../../protocol/errors.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { printable } from '../../protocol/text.ts';
import { addAudit } from './audit.ts';
import { addAuth } from './auth.ts';
import { addBackend } from './backend.ts';
import { addBackup } from './backup.ts';
import { addCompletion } from './completion.ts';
import { addConfig } from './config.ts';
import { addDoctor } from './doctor.ts';
import { addEnv } from './env.ts';
import { addExec, exitCodeOfExec } from './exec.ts';
import { CommandFailure } from './failure.ts';
import { addHelp } from './help.ts';
import { addImport } from './import.ts';
import { addInstall } from './install.ts';
import { addLifecycle } from './lifecycle.ts';
import { addLineProtocol } from './line.ts';
import { addLock } from './lock.ts';
import { jsonText, remark } from './page.ts';
import { addProfile, goByProfile } from './profile.ts';
import { addService } from './service.ts';
import { addSetup } from './setup.ts';
import { addStatus } from './status.ts';
import { addToken } from './token.ts';
import { versions } from './versions.ts';
import { addWatch } from './watch.ts';

/** The first words of commands, and what adds them to a program. */
type Noun = readonly [words: readonly string[], add: (program: Command) => void];

/** Every noun, in the order that `keyhold --help` lists them. A new one is its file in cli/ and its line here. */
const nouns: readonly Noun[] = [
  [['install', 'uninstall'], addInstall],
  [['start', 'stop', 'restart', 'logs'], addLifecycle],
  [['setup'], addSetup],
  [['import'], addImport],
  [['status'], addStatus],
  [['doctor'], addDoctor],
  [['lock', 'unlock'], addLock],
  [['token'], addToken],
  [['auth'], addAuth],
  [['exec'], addExec],
  [['env'], addEnv],
  [['profile'], addProfile],
  [['service'], addService],
  [['backend'], addBackend],
  [['backup', 'restore'], addBackup],
  [['audit'], addAudit],
  [['watch'], addWatch],
  [['config'], addConfig],
  [['get', 'store', 'erase'], addLineProtocol],
  [['completion'], addCompletion],
  [['help'], addHelp],
];

/** Nouns that tell of all the others. */
const OVERVIEW: ReadonlySet<string> = new Set(['completion', 'help']);

const USAGE = exitCodeOf('bad-request');

/**
 * All commands, with their options and help; for a run that begins with `word` the commands of that noun alone, where it
 * is one: to add all of them costs more than most commands do.
 */
export function openProgram(word?: string): Command {
  const program = new Command('keyhold')
    .description('Keeps your tokens ready for git and every other tool.')
    .showHelpAfterError('(more: keyhold help)')
    .option('-V, --version', 'the version of this client and of the running agent')
    .helpCommand(false)
    .enablePositionalOptions()
    .hook('preAction', (_, command) => goByProfile(command))
    .configureOutput({ outputError: (text, write) => write(usageError(text)) })
    .exitOverride();
  for (const [, add] of nounsFor(word)) add(program);
  return program;
}

function nounsFor(word: string | undefined): readonly Noun[] {
  if (word === undefined || OVERVIEW.has(word)) return nouns;
  const asked = nouns.filter(([words]) => words.includes(word));
  return asked.length > 0 ? asked : nouns;
}

/** Runs one command and answers its exit code; the one place where a command's failure is caught. */
export async function runCommand(args: readonly string[]): Promise<number> {
  if (args[0] === '--version' || args[0] === '-V') {
    process.stdout.write(await versions());
    return 0;
  }
  const program = openProgram(args[0]);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    const ours = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
    const code = failed(error, ours.includes('--json'));
    return args[0] === 'exec' ? exitCodeOfExec(code) : code;
  }
}

function failed(error: unknown, json: boolean): number {
  // commander has said what was wrong already; help that was asked for is none of a failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { exitCode, message } =
    error instanceof CommandFailure
      ? error
      : { exitCode: exitCodeOf(asFault(error).status), message: asFault(error).message };
  // Without a message the command has shown its outcome already.
  if (message === '') return exitCode;
  if (json) process.stdout.write(`${jsonText({ error: { exitCode, message } })}\n`);
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
