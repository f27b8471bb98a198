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

/**
 * Makes a setting that names another backend name this one, so that the next start opens what was just filled. `auto` and
 * an absent setting stay: the agent's own note says where tokens rest.
 */
export async function followBackend(name: string): Promise<void> {
  const { conf, document } = await open();
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

async function open(): Promise<{ file: string; conf: Conf; document: unknown }> {
  const { config: folder } = locate();
  const file = `${folder}/config.json`;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Only here: it costs more than all the rest of a command together.
    const { default: Configuration } = await import('conf');
    const conf = new Configuration({
      cwd: folder,
      configName: 'config',
      projectName: 'keyhold',
      projectSuffix: '',
      configFileMode: 0o600,
    });
    return { file, conf, document: conf.store };
  } catch (error) {
    const why =
      error instanceof SyntaxError ? 'it is not JSON; mend or remove it' : (error as NodeJS.ErrnoException).code;
    throw new CommandFailure(1, `cannot read ${file}: ${why}`, { cause: error });
  }
}
