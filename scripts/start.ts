import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { startAgent } from '../client/agent/start.ts';
import { CommandFailure } from '../client/cli/failure.ts';
import { groundOf } from '../client/install/ground.ts';
import { ownPackage, programOf } from '../client/install/root.ts';
import { runProgram } from '../client/programs.ts';
import { shellWord } from '../client/setup/program.ts';
import { asFault } from '../protocol/errors.ts';

/**
 * `npm start`: brings the agent up in its usual places and sends real git through it, with a fresh secret for a host
 * that cannot exist. git reads a configuration of its own in a temporary folder, so nothing of the person's is touched,
 * and the last step erases what the first one stored.
 */

/** Milliseconds that one step may take. */
const DEADLINE = 20_000;
/** Characters of the secret that are shown. */
const SHOWN = 4;

type Answer = { readonly code: number; readonly stdout: string; readonly stderr: string };

process.exitCode = await main().catch((error) => {
  const { message } = error instanceof CommandFailure ? error : asFault(error);
  process.stderr.write(`keyhold: ${message}\n`);
  return 1;
});

async function main(): Promise<number> {
  const own = ownPackage(import.meta.dirname);
  const helper = programOf(own, 'git-credential-keyhold');
  const ground = groundOf({ ...process.env, HOME: process.env.HOME || homedir() });
  if (!existsSync(helper)) throw new CommandFailure(1, 'cannot start: dist/bin is not built; run: npm run build');

  const { agent, wasRunning } = await startAgent(ground, programOf(own, 'keyhold-agent'));
  say(
    `1. ${wasRunning ? 'The agent was running already' : 'The agent runs'}: pid ${agent.pid}, version ${agent.version}`,
  );
  say(`   socket   ${ground.places.agentSocket}`);
  say(`   backend  ${agent.backend}${agent.durable ? '' : ' (nothing rests anywhere)'}, ${agent.held} held`);

  const folder = mkdtempSync(join(tmpdir(), 'keyhold-start-'));
  try {
    return sendGitThrough(folder, helper, ground.environment);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sendGitThrough(folder: string, helper: string, person: Readonly<Record<string, string | undefined>>): number {
  const configuration = join(folder, 'gitconfig');
  writeFileSync(
    configuration,
    `[credential]\n\thelper =\n\thelper = ${JSON.stringify(`!exec ${shellWord(helper)}`)}\n`,
  );
  mkdirSync(join(folder, 'work'));
  const isGits = (name: string) => /^(GIT|SSH)_/.test(name);
  const environment = {
    ...Object.fromEntries(Object.entries(person).filter(([name]) => !isGits(name))),
    GIT_CONFIG_GLOBAL: configuration,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CEILING_DIRECTORIES: folder,
    GIT_TERMINAL_PROMPT: '0',
  };
  const git = (verb: string, lines: readonly string[]) =>
    runGit(['credential', verb], `${lines.join('\n')}\n\n`, environment, join(folder, 'work'));

  const host = `start-${randomBytes(4).toString('hex')}.invalid`;
  const secret = randomBytes(18).toString('base64url');
  const target = ['protocol=https', `host=${host}`];
  const known = [...target, 'username=ada', `password=${secret}`];

  const version = runGit(['--version'], '', environment, folder);
  if (version.code !== 0) {
    process.stderr.write(
      'keyhold: the agent runs, but there is no git to show it with; get it with: apt-get install git\n',
    );
    return 1;
  }
  say(`2. ${version.stdout.trim()}, told by a configuration of its own:`);
  say(`   credential.helper = !exec ${relative(process.cwd(), helper) || helper}`);

  const approved = git('approve', known);
  if (approved.code !== 0 || approved.stderr !== '') return failed('git credential approve', approved);
  say(`3. git credential approve   https://ada@${host}  ${masked(secret)}`);

  const filled = git('fill', target);
  if (!filled.stdout.split('\n').includes(`password=${secret}`)) return failed('git credential fill', filled);
  say(`4. git credential fill      answered by keyhold, in a new process: ada, ${masked(secret)}`);

  const rejected = git('reject', known);
  if (rejected.code !== 0 || rejected.stderr !== '') return failed('git credential reject', rejected);
  say(`5. git credential reject    https://ada@${host}`);

  const again = git('fill', target);
  if (again.stdout.includes('password=')) return failed('git credential fill', again);
  say('6. git credential fill      finds nothing: it is gone');

  say('');
  say('The agent goes on running. What next:');
  say('  dist/bin/keyhold status       how it is');
  say('  dist/bin/keyhold install      put it under ~/.local');
  say('  ~/.local/bin/keyhold setup git');
  say('  npm stop                      ends it');
  return 0;
}

/** Runs git as a process of its own, so that nothing but the agent can carry the secret from one step to the next. */
function runGit(
  args: readonly string[],
  input: string,
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
): Answer {
  const { status, stdout, stderr } = runProgram('git', args, { input, environment, cwd, deadline: DEADLINE });
  return { code: status ?? 1, stdout, stderr };
}

function failed(step: string, { code, stderr }: Answer): number {
  process.stderr.write(`keyhold: ${step} did not do what it should (exit ${code}); git says:\n${stderr}`);
  process.stderr.write('keyhold: the agent runs on; see: dist/bin/keyhold logs\n');
  return 1;
}

function masked(secret: string): string {
  return `${secret.slice(0, SHOWN)}${'*'.repeat(secret.length - SHOWN)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
