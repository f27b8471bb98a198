import { Command, CommanderError } from 'commander';
import { asFault } from '../protocol/errors.ts';
import { exitCodeOf } from '../protocol/status.ts';
import { CommandFailure } from './cli/failure.ts';
import { addInstall } from './cli/install.ts';
import { addLifecycle } from './cli/lifecycle.ts';
import { remark } from './cli/page.ts';
import { addSetup } from './cli/setup.ts';
import { addStatus } from './cli/status.ts';

/** Every noun, in the order that `keyhold --help` lists them. A new one is its file in cli/ and its line here. */
const nouns: readonly ((program: Command) => void)[] = [addInstall, addLifecycle, addSetup, addStatus];

const USAGE = exitCodeOf('bad-request');

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});

/** Runs one command and answers its exit code; the one place where a command's failure is caught. */
async function main(args: readonly string[]): Promise<number> {
  // `keyhold token list | head -1` is no failure.
  process.stdout.on('error', () => process.exit(0));
  const program = new Command('keyhold')
    .description('Keeps your tokens ready for git and every other tool.')
    .showHelpAfterError('(more: keyhold help)')
    .helpCommand(false)
    .exitOverride();
  for (const add of nouns) add(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return failed(error, args.includes('--json'));
  }
}

function failed(error: unknown, json: boolean): number {
  // commander has said what was wrong already; help that was asked for is none of a failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const { exitCode, message } =
    error instanceof CommandFailure
      ? error
      : { exitCode: exitCodeOf(asFault(error).status), message: asFault(error).message };
  if (json) process.stdout.write(`${JSON.stringify({ error: { exitCode, message } }, undefined, 2)}\n`);
  if (message !== '') remark(`keyhold: ${message}`);
  return exitCode;
}
