import { mkdirSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import type Conf from 'conf';
import {
  checkSetting,
  parseSetting,
  readConfig,
  type SettingName,
  settingNames,
  settings,
  showSetting,
  valueIn,
} from '../../protocol/config.ts';
import { configProperties } from '../../protocol/config-schema.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import { locate } from '../locate.ts';
import { CommandFailure } from './failure.ts';
import { show } from './page.ts';
import { addNoun, addVerb, type VerbOptions } from './verb.ts';

/** `keyhold config`: the file that the agent reads when it starts. */
export function addConfig(program: Command): void {
  const config = addNoun(program, 'config', 'settings of the agent');
  addVerb(config, 'list', 'every setting, and what it is set to').action(list);
  addVerb(config, 'get', 'one setting').addArgument(settingName()).action(get);
  addVerb(config, 'set', 'change a setting')
    .addArgument(settingName())
    .argument('<value>', 'such as vault, 8h, 30m, debug')
    .action(set);
  addVerb(config, 'unset', 'take a setting out, so that the default holds').addArgument(settingName()).action(unset);
}

function settingName(): Argument {
  return new Argument('<name>', 'which one').choices(settingNames);
}

async function list({ json }: VerbOptions): Promise<void> {
  const { file, document } = await open();
  const values = settingNames.map((name) => ({ name, ...settingIn(document, name) }));
  show(json, { file, settings: Object.fromEntries(values.map(({ name, value }) => [name, value ?? null])) }, (page) =>
    page
      .table(
        ['SETTING', 'VALUE', '', 'WHAT'],
        values.map(({ name, value, isSet }) => [
          name,
          showSetting(name, value),
          isSet ? 'set' : 'default',
          settings[name].summary,
        ]),
        true,
      )
      .verbatim(file),
  );
}

async function get(name: SettingName, { json }: VerbOptions): Promise<void> {
  const { document } = await open();
  const { value } = settingIn(document, name);
  show(json, { [name]: value ?? null }, (page) => page.line(showSetting(name, value)));
}

async function set(name: SettingName, text: string, { json }: VerbOptions): Promise<void> {
  const value = parseSetting(name, text);
  const { file, conf, document } = await open();
  readConfig(withValue(document, name, value));
  try {
    conf.set(name, value);
  } catch (error) {
    throw new CommandFailure(1, `cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? 'no object'}`);
  }
  show(json, { [name]: value }, (page) =>
    page.line(`${name} is ${showSetting(name, value)}. A running agent takes it up at: keyhold restart`),
  );
}

/** Also where the file sets something that cannot be used: this is how to mend that. */
async function unset(name: SettingName, { json }: VerbOptions): Promise<void> {
  const { file, conf } = await open('as it is');
  const [group] = name.split('.') as [string];
  try {
    conf.delete(name);
    if (group !== name && isEmptyObject(conf.get(group))) conf.delete(group);
  } catch (error) {
    throw new CommandFailure(1, `cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? 'no object'}`);
  }
  const { value } = settingIn({}, name);
  show(json, { [name]: value ?? null }, (page) =>
    page.line(`${name} is ${showSetting(name, value)}, the default. A running agent takes it up at: keyhold restart`),
  );
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/**
 * Makes a setting that names another backend name this one, so that the next start opens what was just filled. `auto` and
 * an absent setting stay: the agent's own note says where tokens rest.
 */
export async function followBackend(name: string): Promise<void> {
  const { conf, document } = await open('as it is');
  const { value, isSet } = settingIn(document, 'backend');
  if (isSet && value !== 'auto' && value !== name) conf.set('backend', name);
}

function settingIn(document: unknown, name: SettingName): { value: string | number | undefined; isSet: boolean } {
  const found = valueIn(document, name);
  if (found === undefined) return { value: settings[name].default, isSet: false };
  return { value: checkSetting(name, found), isSet: true };
}

function withValue(document: unknown, name: SettingName, value: string | number): unknown {
  const [first, ...rest] = name.split('.') as [string, ...string[]];
  const outer = document as Record<string, unknown>;
  if (rest.length === 0) return { ...outer, [first]: value };
  return { ...outer, [first]: { ...(outer[first] as object), [rest.join('.')]: value } };
}

/** Opens the file; `checked`: throws `bad_config` for a value that cannot be used, with the command that takes it out. */
async function open(how: 'checked' | 'as it is' = 'checked'): Promise<{ file: string; conf: Conf; document: unknown }> {
  const { config: folder } = locate();
  const file = `${folder}/config.json`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Only here: it costs more than all the rest of a command together.
    const { default: Configuration } = await import('conf');
    const options = {
      cwd: folder,
      configName: 'config',
      projectName: 'keyhold',
      projectSuffix: '',
      configFileMode: 0o600,
      clearInvalidConfig: false,
    };
    const asItIs = new Configuration(options);
    const document = asItIs.store;
    if (how === 'as it is') return { file, conf: asItIs, document };
    const unfit = unfitSetting(document);
    if (unfit) throw new KeyholdError('bad_config', `${unfit.why} (${file}); run: keyhold config unset ${unfit.name}`);
    return { file, conf: new Configuration({ ...options, schema: configProperties() }), document };
  } catch (error) {
    if (error instanceof KeyholdError) throw error;
    const why =
      error instanceof SyntaxError ? 'it is not JSON; mend or remove it' : (error as NodeJS.ErrnoException).code;
    throw new CommandFailure(1, `cannot read ${file}: ${why}`, { cause: error });
  }
}

/** The first setting of the file that cannot be used. */
function unfitSetting(document: unknown): { readonly name: SettingName; readonly why: string } | undefined {
  for (const name of settingNames) {
    try {
      settingIn(document, name);
    } catch (error) {
      if (error instanceof KeyholdError) return { name, why: error.message };
      throw error;
    }
  }
  return undefined;
}
