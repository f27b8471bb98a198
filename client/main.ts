import './umask.ts';
import { remark } from './cli/page.ts';
import { runCommand } from './cli/program.ts';

process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // `keyhold token list | head -1` is no failure; a full disk is one.
  if (code === 'EPIPE') process.exit(0);
  remark(`keyhold: cannot write to standard output: ${code}`);
  process.exit(1);
});

void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});

// For the build, which keeps the code of several commands.
export { runCommand };
