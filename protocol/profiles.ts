import type { Target } from './credential.ts';
import { KeyholdError } from './errors.ts';
import { fromWire } from './text.ts';
import { isControl } from './writer.ts';

/**
 * Profiles: settings under a name, chosen for a command by name or by folder. They rest in `profiles.json`, which the
 * CLI writes and the agent reads: `{ "default": NAME, "profiles": { NAME: { KEY: VALUE } }, "folders": { PATH: NAME } }`.
 * PROTOCOL.md §6.3.
 */
export type Profiles = {
  /** The one that is in force where nothing else is chosen. */
  readonly default: string | undefined;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Absolute folders without a slash at their end, and the profile that is in force in and below each. */
  readonly folders: ReadonlyMap<string, string>;
};

/** The settings of one profile, by key. */
export type Profile = ReadonlyMap<string, string>;

/** What `profile set` takes: `KEY`, or `KEY.OF` where `of` says what stands behind the dot. */
export const profileKeys = {
  account: { of: 'host', summary: 'username whose token is given where several match' },
  endpoint: { of: 'service', summary: 'URL of the server that a service is reached at' },
  project: { of: 'service', summary: 'project that a service works on' },
  tenant: { of: 'service', summary: 'tenant or organisation at a service' },
  output: { of: undefined, summary: 'text or json: how verbs answer' },
} as const satisfies Record<string, { of: 'host' | 'service' | undefined; summary: string }>;
export type ProfileKey = keyof typeof profileKeys;

/** Most profiles, bound folders, and settings of one profile: more than a person makes, and still little to read. */
const COUNT_MAX = 1_000;
const VALUE_MAX = 1_024;
const PATH_MAX = 4_096;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const KEY = /^([a-z]+)(?:\.([A-Za-z0-9._:[\]-]{1,253}))?$/;

/**
 * The properties of `profiles.json` as JSON Schema (draft 2020-12): its shape, and what may be a name. What a key means, and the
 * bounds, `readProfiles` checks.
 */
export const profilesProperties = {
  default: { type: 'string', pattern: NAME.source },
  profiles: {
    type: 'object',
    propertyNames: { pattern: NAME.source },
    additionalProperties: { type: 'object', additionalProperties: { type: 'string' } },
  },
  folders: { type: 'object', propertyNames: { pattern: '^/' }, additionalProperties: { type: 'string' } },
} as const;

export const noProfiles: Profiles = { default: undefined, profiles: new Map(), folders: new Map() };

/** Whether a text may name a profile: nothing that could be a path, an option, or look like another name. */
export function isProfileName(text: string): boolean {
  return NAME.test(text);
}

/** Throws `bad_request` unless `text` may name a profile. The text is not repeated: it may be anything. */
export function checkProfileName(text: string): string {
  if (isProfileName(text)) return text;
  throw new KeyholdError(
    'bad_request',
    'cannot use that profile name: it is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit',
  );
}

/** Throws `bad_request` unless `key` is one that a profile knows. */
export function checkProfileKey(key: string): ProfileKey {
  const [, name = '', of] = KEY.exec(key) ?? [];
  const known = Object.hasOwn(profileKeys, name) ? profileKeys[name as ProfileKey] : undefined;
  if (!known || (of !== undefined && known.of === undefined)) {
    const keys = Object.entries(profileKeys).map(([one, { of: behind }]) => `${one}${behind ? `[.${behind}]` : ''}`);
    throw new KeyholdError('bad_request', `cannot set that key of a profile: there are ${keys.join(', ')}`);
  }
  return name as ProfileKey;
}

/** Throws `bad_request` unless `key` is one that a profile knows and `value` may stand for it. */
export function checkProfileSetting(key: string, value: string): void {
  const name = checkProfileKey(key);
  const rule = ruleBroken(name, value);
  if (rule) throw new KeyholdError('bad_request', `cannot set ${name}: ${rule}`);
}

function ruleBroken(key: ProfileKey, value: string): string | undefined {
  if (value === '') return 'it is empty';
  if (Buffer.byteLength(value) > VALUE_MAX) return `it is longer than ${VALUE_MAX} bytes`;
  if (value.includes('\ufffd') || [...Buffer.from(value)].some(isControl)) return 'it holds a control byte';
  if (key === 'output' && value !== 'text' && value !== 'json') return 'it is text or json';
  if (key !== 'endpoint') return undefined;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+/.test(value)) return 'it is a URL such as https://api.example';
  return /[@?#\\]/.test(value) ? 'it may hold neither user, query nor fragment' : undefined;
}

/**
 * The whole file, parsed. Throws `bad_config` where it breaks a rule: half a choice of account would be a wrong one.
 * Members of the document itself and keys of a profile that are not known are a newer version's, and skipped.
 */
export function readProfiles(document: unknown): Profiles {
  const whole = membersOf(document, 'it');
  const profiles = new Map<string, Profile>();
  for (const [name, settings] of membersOf(whole.get('profiles') ?? {}, 'profiles')) {
    if (!isProfileName(name)) throw unfit('a profile has a name that is none');
    profiles.set(name, readProfile(name, settings));
  }
  const folders = new Map<string, string>();
  for (const [path, name] of membersOf(whole.get('folders') ?? {}, 'folders')) {
    if (!isFolder(path)) throw unfit('a folder in it is no absolute path');
    if (typeof name !== 'string' || !profiles.has(name))
      throw unfit('a folder is bound to a profile that is not there');
    folders.set(path, name);
  }
  const byDefault = whole.get('default');
  if (byDefault !== undefined && (typeof byDefault !== 'string' || !profiles.has(byDefault))) {
    throw unfit('the default is a profile that is not there');
  }
  return { default: byDefault, profiles, folders };
}

function readProfile(name: string, settings: unknown): Profile {
  const known = new Map<string, string>();
  for (const [key, value] of membersOf(settings, `profile ${name}`)) {
    const [, first = ''] = KEY.exec(key) ?? [];
    if (!Object.hasOwn(profileKeys, first)) continue;
    if (typeof value !== 'string') throw unfit(`${first} of profile ${name} is no text`);
    try {
      checkProfileSetting(key, value);
    } catch {
      throw unfit(`${first} of profile ${name} is not as it may be`);
    }
    known.set(key, value);
  }
  return known;
}

function membersOf(value: unknown, what: string): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unfit(`${what} is no JSON object`);
  const members = Object.entries(value);
  if (members.length > COUNT_MAX) throw unfit(`${what} has more than ${COUNT_MAX} members`);
  return new Map(members);
}

/** Whether a text may be a bound folder: absolute, in its plainest form. */
export function isFolder(path: string): boolean {
  if (!path.startsWith('/') || Buffer.byteLength(path) > PATH_MAX || path.includes('\ufffd')) return false;
  if ([...Buffer.from(path)].some(isControl)) return false;
  return path === '/' || path.split('/').every((part, at) => (at === 0 ? part === '' : !/^\.{0,2}$/.test(part)));
}

/** The profile in force, and what chose it. */
export type ProfileChoice = {
  readonly name: string;
  readonly by: 'name' | 'folder' | 'default';
  /** The bound folder, where one decided. */
  readonly folder?: string | undefined;
  readonly profile: Profile;
};

/**
 * The profile in force: the one that was asked for by name; else that of the nearest bound folder in or above `cwd`;
 * else the default. Both are text for people. Throws `bad_request` for a name that no profile has: another account than
 * the one that was meant would be a wrong answer. `boundary` is a folder in or above `cwd` that another user could write
 * (ownership.ts): a folder that is bound there or above it does not count.
 */
export function chooseProfile(
  { default: byDefault, profiles, folders }: Profiles,
  asked: string | undefined,
  cwd: string | undefined,
  boundary?: string | undefined,
): ProfileChoice | undefined {
  if (asked !== undefined) {
    const profile = profiles.get(checkProfileName(asked));
    if (profile) return { name: asked, by: 'name', profile };
    throw new KeyholdError('bad_request', `cannot use the profile ${asked}: there is none; see: keyhold profile list`);
  }
  const folder = folders.size > 0 && cwd !== undefined ? boundFolder(folders, cwd, boundary) : undefined;
  const name = folder === undefined ? byDefault : folders.get(folder)!;
  if (name === undefined) return undefined;
  return { name, by: folder === undefined ? 'default' : 'folder', folder, profile: profiles.get(name)! };
}

/** The nearest folder in or above `cwd`, below `boundary`, that is bound to a profile. Pure: it compares texts. */
export function boundFolder(
  folders: ReadonlyMap<string, string>,
  cwd: string,
  boundary?: string | undefined,
): string | undefined {
  if (!cwd.startsWith('/')) return undefined;
  for (let path = cwd.length > 1 ? cwd.replace(/\/+$/, '') : cwd; path !== ''; ) {
    if (path === boundary) return undefined;
    if (folders.has(path)) return path;
    path = path.slice(0, path.lastIndexOf('/'));
  }
  return boundary !== '/' && folders.has('/') ? '/' : undefined;
}

/** The username, as text for people, whose credentials a profile prefers for a target's host. */
export function accountFor(profile: Profile, { host }: Target): string | undefined {
  return settingFor(profile, 'account', fromWire(host));
}

/** What a profile sets for one host or service (`KEY.OF`), else for all (`KEY`). */
export function settingFor(profile: Profile, key: ProfileKey, of: string): string | undefined {
  return profile.get(`${key}.${of}`) ?? profile.get(key);
}

function unfit(rule: string): KeyholdError {
  return new KeyholdError('bad_config', `cannot use profiles.json: ${rule}`);
}
