import type { Command } from 'commander';
import { KeyholdError } from '../../protocol/errors.ts';
import {
  checkProfileKey,
  checkProfileName,
  checkProfileSetting,
  isFolder,
  type ProfileChoice,
  profileKeys,
} from '../../protocol/profiles.ts';
import { exitCodeOf } from '../../protocol/status.ts';
import { changeAndReload } from '../profiles/change.ts';
import { loadProfiles } from '../profiles/file.ts';
import { askedProfile, profileBoundary, profileInForce, workingFolder } from '../profiles/in-force.ts';
import { confirm } from './confirm.ts';
import { CommandFailure } from './failure.ts';
import { remark, show } from './page.ts';
import { addDestructiveVerb, addNoun, addVerb, type DestructiveOptions, type VerbOptions } from './verb.ts';

const USAGE = exitCodeOf('bad-request');
type UseOptions = VerbOptions & { readonly here?: boolean; readonly none?: boolean };

/** `keyhold profile`: settings under a name, and which of them are in force. */
export function addProfile(program: Command): void {
  const noun = addNoun(program, 'profile', 'settings under a name: account, endpoint, project and so on');
  addVerb(noun, 'list', 'every profile, and which is in force here').action(list);
  addVerb(noun, 'show [name]', 'the settings of a profile; without a name, of the one in force').action(showOne);
  addVerb(noun, 'use [name]', 'make a profile the default, or that of this folder')
    .option('--here', 'for this folder and all below it')
    .option('--none', 'no profile any more')
    .action(use);
  addVerb(noun, 'set <key> <value>', 'change a setting of the profile in force; an empty value takes it out')
    .addHelpText('after', `\nKeys: ${keysInWords()}\n--profile NAME makes a new profile.`)
    .action(set);
  addDestructiveVerb(noun, 'remove <name>', 'remove a profile and what is bound to it').action(remove);
}

function list({ json }: VerbOptions): void {
  const all = loadProfiles();
  const choice = inForce();
  const rows = [...all.profiles.keys()].sort().map((name) => ({
    name,
    inForce: choice?.name === name,
    default: all.default === name,
    settings: Object.fromEntries(all.profiles.get(name)!),
    folders: [...all.folders].filter(([, bound]) => bound === name).map(([folder]) => folder),
  }));
  show(json, { profiles: rows, inForce: choice && documentOf(choice) }, (page) => {
    if (rows.length === 0)
      page.line('There is no profile. To make one: keyhold profile set account NAME --profile NAME');
    else {
      page.table(
        ['', 'PROFILE', 'ACCOUNT', 'FOLDERS'],
        rows.map(({ name, inForce: is, settings, folders }) => [
          is ? '*' : '',
          name,
          settings['account'] ?? '',
          folders.join(' '),
        ]),
      );
      page.line(choice ? `In force here: ${inWords(choice)}.` : 'None is in force here.');
    }
  });
}

/** The profile in force; none, with a remark, where the one that is asked for is not there. */
function inForce(): ProfileChoice | undefined {
  try {
    remarkBoundary();
    return profileInForce(loadProfiles());
  } catch (error) {
    if (!(error instanceof KeyholdError && error.code === 'bad_request')) throw error;
    remark(`keyhold: ${error.message}`);
    return undefined;
  }
}

/** Says why a profile that is bound to this folder or one above it is not in force here. */
function remarkBoundary(): void {
  const boundary = askedProfile() === undefined ? profileBoundary(loadProfiles()) : undefined;
  if (boundary === undefined) return;
  remark(
    `keyhold: the profile bound to this folder or one above it is not used here: of ${boundary.path}, ${boundary.why}; name it by --profile`,
  );
}

function showOne(name: string | undefined, { json }: VerbOptions): void {
  const { profiles } = loadProfiles();
  if (name === undefined) remarkBoundary();
  const choice = name === undefined ? profileInForce(loadProfiles()) : undefined;
  const shown = name === undefined ? choice?.name : existing(name, profiles);
  if (shown === undefined) {
    throw new CommandFailure(exitCodeOf('not-found'), 'cannot show: no profile is in force; see: keyhold profile list');
  }
  const settings = [...profiles.get(shown)!].sort(([one], [other]) => (one < other ? -1 : 1));
  show(json, { name: shown, settings: Object.fromEntries(settings), inForce: choice && documentOf(choice) }, (page) => {
    page.facts([['profile', choice ? inWords(choice) : shown], ...settings]);
  });
}

async function use(name: string | undefined, { json, here, none }: UseOptions): Promise<void> {
  if ((name === undefined) === (none !== true)) {
    throw new CommandFailure(USAGE, 'cannot use a profile: name one, or give --none');
  }
  const folder = here ? workingFolder() : undefined;
  if (here && (folder === undefined || !isFolder(folder))) {
    throw new CommandFailure(USAGE, 'cannot bind this folder: its path cannot be written down');
  }
  if (name !== undefined) checkProfileName(name);
  await changeAndReload((document) => {
    if (name !== undefined) existing(name, new Map(Object.entries(document.profiles)));
    if (folder === undefined) document.default = name;
    else if (name === undefined) delete document.folders[folder];
    else document.folders[folder] = name;
  });
  if (folder !== undefined) remarkBoundary();
  const where = folder === undefined ? 'by default' : `in ${folder} and below`;
  show(json, { name: name ?? null, folder: folder ?? null }, (page) =>
    page.line(name === undefined ? `No profile is chosen ${where} any more.` : `Profile ${name} is in force ${where}.`),
  );
}

async function set(key: string, value: string, { json }: VerbOptions): Promise<void> {
  const isOut = value === '';
  if (isOut) checkProfileKey(key);
  else checkProfileSetting(key, value);
  const name = askedProfile() ?? profileInForce(loadProfiles())?.name;
  if (name === undefined) {
    throw new CommandFailure(USAGE, 'cannot set: no profile is in force; name one, new or not: --profile NAME');
  }
  checkProfileName(name);
  await changeAndReload(({ profiles }) => {
    const settings = { ...profiles[name] };
    if (isOut) delete settings[key];
    else settings[key] = value;
    profiles[name] = settings;
  });
  show(json, { name, [key]: isOut ? null : value }, (page) =>
    page.line(isOut ? `Profile ${name} sets no ${key} any more.` : `${key} of profile ${name} is ${value}.`),
  );
}

async function remove(name: string, options: DestructiveOptions): Promise<void> {
  existing(checkProfileName(name), loadProfiles().profiles);
  await confirm(`Remove the profile ${name}? Tokens stay as they are.`, options);
  await changeAndReload((document) => {
    delete document.profiles[name];
    if (document.default === name) document.default = undefined;
    for (const [folder, bound] of Object.entries(document.folders)) {
      if (bound === name) delete document.folders[folder];
    }
  });
  show(options.json, { removed: name }, (page) => page.line(`Removed the profile ${name}.`));
}

function existing(name: string, profiles: ReadonlyMap<string, unknown>): string {
  if (profiles.has(checkProfileName(name))) return name;
  throw new CommandFailure(exitCodeOf('not-found'), `cannot find the profile ${name}; see: keyhold profile list`);
}

function inWords({ name, by, folder }: ProfileChoice): string {
  const why = { name: 'by name', folder: `by the folder ${folder}`, default: 'by default' };
  return `${name}, ${why[by]}`;
}

function documentOf({ name, by, folder }: ProfileChoice): Record<string, string | undefined> {
  return { name, by, folder };
}

function keysInWords(): string {
  return Object.entries(profileKeys)
    .map(([key, { of, summary }]) => `\n  ${`${key}${of ? `[.${of.toUpperCase()}]` : ''}`.padEnd(20)}${summary}`)
    .join('');
}
