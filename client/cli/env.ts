import { type Command, Option } from 'commander';
import { exitCodeOf } from '../../protocol/status.ts';
import { fetchTokens, wipe } from '../exec/fetch.ts';
import type { Plan } from '../exec/plan.ts';
import { assignment, removal, type Shell, shells } from '../exec/quote.ts';
import { withAgent } from './agent.ts';
import { addSources, planFrom, type SourceOptions, showPlan } from './exec.ts';
import { CommandFailure } from './failure.ts';
import { remark } from './page.ts';
import { addVerb } from './verb.ts';

type EnvOptions = SourceOptions & { readonly shell?: Shell };

/** `keyhold env`: assignments for a shell that cannot be run by `exec`. It prints values (docs/decisions/0010). */
export function addEnv(program: Command): void {
  addSources(addVerb(program, 'env', 'print tokens as assignments for a shell; better use exec'))
    .addOption(new Option('--shell <name>', 'which shell reads them').choices(shells))
    .addHelpText(
      'after',
      '\n  $ eval "$(keyhold env --shell bash --service pogo)"\n--json shows names and sources, and no value.',
    )
    .action(env);
}

async function env({ shell, ...options }: EnvOptions): Promise<void> {
  const { plan, choice } = planFrom(options);
  if (options.json) {
    const environment = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']));
    showPlan(plan, { environment, choice, json: true });
    return;
  }
  if (shell === undefined) {
    throw new CommandFailure(exitCodeOf('bad-request'), `cannot print: name the shell, --shell ${shells.join('|')}`);
  }
  if (process.stdout.isTTY) {
    remark('keyhold: tokens follow, on a terminal; whoever sees it or its scrollback has them. Safer: keyhold exec');
  }
  await print(plan, shell);
}

async function print(plan: Plan, shell: Shell): Promise<void> {
  const fetched = await withAgent((agent) => fetchTokens(agent, plan.grants));
  const lines: Buffer[] = [];
  try {
    for (const { name } of plan.remove) lines.push(removal(shell, name));
    for (const { name, value } of plan.plain) lines.push(assignment(shell, name, Buffer.from(value)));
    for (const { variables, bytes, endpoints = [] } of fetched) {
      for (const { name, value } of endpoints) lines.push(assignment(shell, name, Buffer.from(value)));
      for (const name of variables) lines.push(assignment(shell, name, bytes));
    }
    // All or nothing: an assignment that cannot be written must not leave half of them set.
    for (const line of lines) await new Promise((resolve) => process.stdout.write(line, resolve));
  } finally {
    wipe(fetched);
    for (const line of lines) line.fill(0);
  }
}
