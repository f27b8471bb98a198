import type { Command } from 'commander';
import { groundOf } from '../install/ground.ts';
import { ownPackage } from '../install/root.ts';
import { type GitReport, setupGit, undoGit } from '../setup/git.ts';
import type { HelperLine } from '../setup/git-config.ts';
import { gitTool, knownTools, setupTools, systemdTool } from '../setup/index.ts';
import { type SetupReport, setUp, type UndoReport, undo } from '../setup/planned.ts';
import { programFor } from '../setup/program.ts';
import { setupSystemd, undoSystemd } from '../setup/systemd.ts';
import { accountFor } from '../setup/target-option.ts';
import type { Asked, KnownTool, SetupTool } from '../setup/tool.ts';
import { CommandFailure } from './failure.ts';
import { type Page, show } from './page.ts';
import { addNoun, addVerb, type VerbOptions } from './verb.ts';

type SetupOptions = VerbOptions & {
  readonly undo?: boolean;
  readonly dryRun?: boolean;
  readonly here?: boolean;
  readonly account?: string;
};

/** `keyhold setup TOOL`: tells a tool about keyhold, and takes it back with `--undo`. */
export function addSetup(program: Command): void {
  const noun = addNoun(program, 'setup', 'tell a tool about keyhold, or take it back')
    .option('--list', 'which tools are here, and what each would gain')
    .option('--json', 'print one JSON document')
    .action(({ list, json }: { list?: boolean; json?: boolean }) => {
      if (!list) throw new CommandFailure(2, 'cannot set up: it needs a tool; see: keyhold setup --list');
      listTools(json);
    });

  const add = ({ name, summary }: KnownTool) =>
    addVerb(noun, name, summary)
      .option('--undo', 'take it back')
      .option('--dry-run', 'say what would change, and change nothing')
      .option('--here', 'point to this copy, even if it is not installed');
  add(gitTool)
    .option('--account <name>', 'refused: git names the account in the URL, or by credential.URL.username')
    .action(onGit);
  for (const tool of setupTools) {
    const verb = add(tool).option('--account <name>', 'the account that it asks for, where the tool can name one');
    for (const { flags, summary } of tool.options) verb.option(flags, summary);
    verb.action((_: SetupOptions, command: Command) => onPlanned(tool, command));
  }
  add(systemdTool).action(onSystemd);
}

function listTools(json: boolean | undefined): void {
  const ground = groundOf();
  const tools = knownTools.map(({ name, summary, gain, detect }) => ({
    tool: name,
    summary,
    gain,
    found: detect(ground) ?? null,
  }));
  show(json, tools, (page) => {
    const rows = tools.map(({ tool, found, gain }) => [tool, found === null ? 'no' : 'yes', gain]);
    page.table(['TOOL', 'HERE', 'WHAT YOU GAIN'], rows, true);
  });
}

async function onPlanned(tool: SetupTool, command: Command): Promise<void> {
  const options = command.optsWithGlobals<SetupOptions & Record<string, unknown>>();
  const { json, dryRun = false, here = false } = options;
  const ground = groundOf();
  if (options.undo) {
    const undone = await undo(ground, tool.name, { dryRun });
    show(json, { ...undone, dryRun }, (page) => drawUndone(page, tool.name, undone, dryRun));
    return;
  }
  const option = (name: string) => {
    const value = options[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    return typeof value === 'string' ? value : undefined;
  };
  const asked: Asked = {
    option,
    account: accountFor(tool, option),
    program: (name) => programFor(ground, ownPackage(), name, tool.name, here),
  };
  const plan = await tool.plan(ground, asked);
  const planned = await setUp(ground, tool.name, plan, { dryRun });
  const more = (await tool.after?.(asked, dryRun)) ?? [];
  const report = { ...planned, notices: [...planned.notices, ...more] };
  show(json, { ...report, dryRun }, (page) => drawPlanned(page, tool.name, report, dryRun));
}

function drawPlanned(page: Page, tool: string, { changed, files, links, notices }: SetupReport, dryRun: boolean): void {
  if (!changed && files.length > 0) page.line(`${tool} asks keyhold already`, 'green');
  for (const { file, changed: isNew, lines } of files) {
    if (!isNew) page.line(`as it should be already: ${file}`);
    else page.line(`${dryRun ? 'would add to' : 'added to'} ${file}:`, dryRun ? 'yellow' : 'green');
    for (const line of lines) page.verbatim(`    ${line}`);
  }
  for (const { path, target } of changed ? links : [])
    page.line(`${dryRun ? 'would link' : 'linked'} ${path} to ${target}`);
  for (const notice of notices) {
    if (notice.startsWith(' ')) page.verbatim(notice);
    else page.line(notice, 'yellow');
  }
}

function drawUndone(page: Page, tool: string, { files, links }: UndoReport, dryRun: boolean): void {
  if (files.length + links.length === 0) page.line(`${tool} was not set up by keyhold`);
  for (const { file, how } of files) page.line(undoneInWords(how, file, dryRun));
  for (const path of links) page.line(`${dryRun ? 'would remove' : 'removed'}: ${path}`);
}

function onGit({ undo, dryRun = false, here = false, account }: SetupOptions, command: Command): void {
  if (account !== undefined) {
    throw new CommandFailure(
      2,
      'cannot set up git for one account: git names it; run: git config --global credential.https://HOST.username NAME',
    );
  }
  const { json } = command.optsWithGlobals<SetupOptions>();
  const ground = groundOf();
  if (undo) {
    const undone = undoGit(ground, { dryRun });
    show(json, { ...undone, dryRun }, (page) =>
      page.line(
        undone.file === undefined ? 'git was not set up by keyhold' : undoneInWords(undone.how, undone.file, dryRun),
      ),
    );
    return;
  }
  const helper = programFor(ground, ownPackage(), 'git-credential-keyhold', 'git', here);
  const report = setupGit(ground, helper, { dryRun });
  show(json, { ...report, dryRun }, (page) => drawGit(page, report, dryRun));
}

function drawGit(page: Page, { file, changed, values, alsoTold, overrides }: GitReport, dryRun: boolean): void {
  if (!changed) page.line(`git asks keyhold already: ${file}`, 'green');
  else page.line(`${dryRun ? 'would add to' : 'added to'} ${file}:`, dryRun ? 'yellow' : 'green');
  for (const value of values) page.verbatim(`    credential.helper = ${value}`);
  if (alsoTold.length > 0)
    page.line('these helpers are told every secret too, and asked for what keyhold does not hold:', 'yellow');
  for (const line of alsoTold) page.verbatim(`    ${inWords(line)}`);
  if (overrides.length > 0) page.line('these lines make git forget keyhold again:', 'yellow');
  for (const line of overrides) page.verbatim(`    ${inWords(line)}`);
}

function inWords({ url, value, origin, scope }: HelperLine): string {
  return `credential.${url === undefined ? '' : `${url}.`}helper = ${value}  (${scope}, ${origin})`;
}

function undoneInWords(how: 'restored' | 'removed-lines' | 'nothing', file: string, dryRun: boolean): string {
  if (how === 'nothing') return `nothing of keyhold stands in ${file} any more`;
  if (how === 'restored') return `${dryRun ? 'would give back' : 'given back'} as it was: ${file}`;
  return `${dryRun ? 'would remove' : 'removed'} keyhold's lines only, because the file was changed since: ${file}`;
}

async function onSystemd({ undo, dryRun = false, here = false }: SetupOptions, command: Command): Promise<void> {
  const { json } = command.optsWithGlobals<SetupOptions>();
  const ground = groundOf();
  if (undo) {
    const { removed, left } = await undoSystemd(ground, { dryRun });
    show(json, { removed, left, dryRun }, (page) => {
      if (removed.length + left.length === 0) page.line('systemd was not set up by keyhold');
      for (const path of removed) page.line(`${dryRun ? 'would remove' : 'removed'}: ${path}`);
      for (const path of left) page.line(`left alone, it was changed since: ${path}`, 'yellow');
    });
    return;
  }
  const own = ownPackage();
  const agent = programFor(ground, own, 'keyhold-agent', 'systemd', here);
  const { folder, changed, units, handedOver } = await setupSystemd(ground, own, agent, { dryRun });
  show(json, { folder, changed, units, handedOver: handedOver ?? null, dryRun }, (page) => {
    if (!changed) page.line(`systemd has keyhold's units already: ${folder}`, 'green');
    for (const { name, text } of changed ? units : []) {
      page.line(`${dryRun ? 'would write' : 'wrote'} ${folder}/${name}${dryRun ? ':' : ''}`);
      for (const line of dryRun ? text.trim().split('\n') : []) page.verbatim(`    ${line}`);
    }
    if (handedOver !== undefined) page.line(`ended the agent that ran without systemd: pid ${handedOver}`);
    if (!dryRun) page.line('the agent starts when the first tool asks');
  });
}
