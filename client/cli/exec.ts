import { writeSync } from 'node:fs';
import type { Command } from 'commander';
import type { ProfileChoice } from '../../protocol/profiles.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { printable } from '../../protocol/text.ts';
import { shadowsFor } from '../doctor/services.ts';
import { findCommand, whyTooLong } from '../exec/command.ts';
import { childEnvironment, type Environment, originalEnvironment } from '../exec/environment.ts';
import { fetchTokens, wipe } from '../exec/fetch.ts';
import { MARKER, type Plan, planOf } from '../exec/plan.ts';
import { loadProfiles } from '../profiles/file.ts';
import { profileInForce } from '../profiles/in-force.ts';
import { servicesNamed } from '../services/named.ts';
import { inheritedUmask } from '../umask.ts';
import { withAgent } from './agent.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { targetDocument, urlOf } from './target.ts';
import { addVerb, type VerbOptions } from './verb.ts';

/** As env(1) has them. */
const FAILED = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** What `exec` and `env` take to know which tokens are meant. */
export type SourceOptions = VerbOptions & {
  readonly service: readonly string[];
  readonly env: readonly { readonly name: string; readonly url: string }[];
};

type ExecOptions = SourceOptions & { readonly dryRun?: boolean; readonly nested?: boolean };

/** `keyhold exec`: becomes COMMAND, with tokens in its environment and nowhere else. */
export function addExec(program: Command): void {
  addSources(addVerb(program, 'exec <command...>', 'run a command with tokens in its environment only'))
    .option('--dry-run', 'show which variables it would get and from where, and run nothing')
    .option('--nested', 'also inside a command that exec runs')
    .passThroughOptions()
    .addHelpText(
      'after',
      `\n  $ keyhold exec --service pogo -- pogo publish\n  $ keyhold exec --env NPM_TOKEN=https://registry.npmjs.org -- npm publish`,
    )
    .action(exec);
}

export function addSources(command: Command): Command {
  return command
    .option('--service <name>', 'a service whose token is given, by its own variables', gather, [])
    .option('--env <name=url>', 'a variable, and what the token in it is for', gatherPair, []);
}

function gather(name: string, before: readonly string[]): readonly string[] {
  return [...before, name];
}

function gatherPair(text: string, before: SourceOptions['env']): SourceOptions['env'] {
  const equals = text.indexOf('=');
  return [...before, { name: text.slice(0, Math.max(equals, 0)), url: text.slice(equals + 1) }];
}

async function exec(words: readonly string[], options: ExecOptions): Promise<void> {
  const { environment, lost } = originalEnvironment();
  if (MARKER in environment && !options.nested) {
    throw new CommandFailure(
      FAILED,
      'cannot run: this is the environment of another keyhold exec; give --nested if that is meant',
    );
  }
  const { plan, services, choice } = planFrom(options);
  const warnings = (await Promise.all(services.map((service) => whatWins(service, environment)))).flat();
  if (options.dryRun) {
    for (const warning of warnings) say(warning);
    showPlan(plan, { words, environment, choice, json: options.json });
    return;
  }
  const notHandedOn = lost.map((what) => `not handed on to ${words[0]}: ${what}`);
  await become(words, plan, environment, [...notHandedOn, ...warnings]);
}

/** How a failed `exec` exits: every failure of its own is one code, so that the command's codes keep their meaning. */
export function exitCodeOfExec(code: number): number {
  return code === NOT_EXECUTABLE || code === NOT_FOUND || code === 0 ? code : FAILED;
}

/** What is asked for, and by which profile. */
type Asked = {
  readonly plan: Plan;
  readonly services: readonly Manifest[];
  readonly choice: ProfileChoice | undefined;
};

/** What is asked for, by the profile in force. */
export function planFrom({ service, env }: SourceOptions): Asked {
  const choice = profileInForce(loadProfiles());
  const services = service.length === 0 ? [] : servicesNamed(service);
  return { plan: planOf({ services, pairs: env, profile: choice?.profile }), services, choice };
}

/** Returns only by throwing: behind it this process is the command. */
async function become(
  words: readonly string[],
  plan: Plan,
  original: Environment,
  warnings: readonly string[],
): Promise<void> {
  const command = findCommand(words, original);
  if (command.status === 'not-found') throw new CommandFailure(NOT_FOUND, cannotRun(words, command.why));
  if (command.status === 'not-executable') throw new CommandFailure(NOT_EXECUTABLE, cannotRun(words, command.why));
  const fetched = await withAgent((agent) => fetchTokens(agent, plan.grants));
  let environment: Environment;
  try {
    environment = childEnvironment(original, plan, fetched);
  } finally {
    wipe(fetched);
  }
  const why = whyTooLong(command.file, command.arguments, environment);
  if (why) throw new CommandFailure(NOT_EXECUTABLE, cannotRun(words, `arguments and environment are too long: ${why}`));
  for (const warning of warnings) say(warning);
  process.umask(inheritedUmask);
  // Ignored as node has them, they would be ignored in the command as well; caught, they are not.
  for (const signal of ['SIGPIPE', 'SIGXFSZ'] as const) process.on(signal, () => {});
  unblockOutput();
  process.execve!(command.file, command.arguments, environment);
}

function cannotRun([name = '']: readonly string[], why: string): string {
  return `cannot run ${name}: ${why}`;
}

/** What a service's program takes a token from though the variable is set. */
async function whatWins(manifest: Manifest, environment: Environment): Promise<string[]> {
  const shadows = await shadowsFor(manifest, environment);
  return shadows
    .filter(({ source, winsOverExec }) => source === 'file' && winsOverExec)
    .map(({ what, fix }) => `${what} wins over what ${manifest.id} is given here; ${fix}`);
}

/** At once: what node's streams still hold when the command takes over would be lost. */
function say(text: string): void {
  writeSync(2, `keyhold: ${printable(text)}\n`);
}

/**
 * Takes back O_NONBLOCK, which node sets on a pipe as soon as it looks at the stream. The command shares the pipe, and
 * most programs give up at the first EAGAIN.
 */
function unblockOutput(): void {
  for (const { _handle } of [process.stdout, process.stderr] as readonly WithHandle[]) _handle?.setBlocking?.(true);
}

type WithHandle = { readonly _handle?: { readonly setBlocking?: (blocking: boolean) => void } };

type Shown = {
  readonly words?: readonly string[];
  readonly environment: Environment;
  readonly choice: ProfileChoice | undefined;
  readonly json: boolean | undefined;
};

/** Names and where they come from; never a value. */
export function showPlan(plan: Plan, { words, environment, choice, json }: Shown): void {
  const replaced = (name: string) => name in environment;
  const variables = [
    ...plan.grants.flatMap(({ variables: names, targets, from }) =>
      names.map((name) => ({
        name,
        holds: 'token',
        from,
        for: targets.map((target) => ({ url: urlOf(target), ...targetDocument(target) })),
        replaces: replaced(name),
      })),
    ),
    ...plan.grants.flatMap(({ endpoints = [], targets, from }) =>
      endpoints.map(({ name }) => ({
        name,
        holds: 'setting',
        from,
        for: targets.map((target) => ({ url: urlOf(target), ...targetDocument(target) })),
        replaces: replaced(name),
      })),
    ),
    ...plan.plain.map(({ name, from }) => ({ name, holds: 'setting', from, for: [], replaces: replaced(name) })),
  ];
  const removed = plan.remove.filter(({ name }) => replaced(name));
  const document = { command: words, profile: choice?.name ?? null, variables, removed };
  show(json, document, (page) => {
    page.table(
      ['VARIABLE', 'HOLDS', 'FROM', 'FOR'],
      [
        ...variables.map((variable) => [
          `${variable.name}${variable.replaces ? ' (replaced)' : ''}`,
          variable.holds,
          variable.from,
          variable.for.map(({ url }) => url).join(' or '),
        ]),
        ...removed.map(({ name, from }) => [name, 'removed', from, '']),
      ],
    );
    if (choice) page.line(`By the profile ${choice.name}.`);
    if (words) page.line('Nothing was run, and no token was read.');
  });
}
