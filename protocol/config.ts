import type { Seconds } from './credential.ts';
import { KeyholdError } from './errors.ts';

/**
 * What can be set in `config.json`, in one table for its two readers: `keyhold config` and the agent. The file holds
 * one object that nests at the dots of these names: `{ "lease": { "idle": 28800 } }`. Times rest in it as seconds.
 */
export type Config = {
  /** `auto`: the keyring where one answers, else the vault. */
  readonly backend: 'auto' | 'keyring' | 'vault' | 'memory';
  /** How long an unlocked credential may lie unused; undefined: as its backend asks, 8 h, or 1 h behind a passphrase. */
  readonly leaseIdle: Seconds | undefined;
  /** How long it may be served at all, used or not. */
  readonly leaseMax: Seconds;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  /** How long the audit log and the counts of uses are kept. */
  readonly auditKeep: Seconds;
  /** How long the admin process stays without a connection. */
  readonly adminIdle: Seconds;
  /** How long after it was last asked for a token is still refreshed ahead of need. */
  readonly refreshUsedWithin: Seconds;
  /** `on`: what was revoked is looked at again where its service may forget that; its value is kept for that. */
  readonly revokeRecheck: 'on' | 'off';
  /** How long what an erase took away can be brought back; 0: not at all. */
  readonly eraseKeep: Seconds;
  /** How long before its expiry a token is announced. */
  readonly eventsLead: Seconds;
  /** How long a service may take to answer a call. */
  readonly upstreamDeadline: Seconds;
  /** A file of certificates (PEM) that are trusted for services beside the usual ones. */
  readonly upstreamCa: string | undefined;
  /** `http://host:port`, by which services are called. Variables such as HTTPS_PROXY change nothing. */
  readonly upstreamProxy: string | undefined;
  /** `on`: no service is called. */
  readonly upstreamOffline: 'on' | 'off';
};

/** One row of the table: its values, and what it is for. */
export type Setting = { readonly summary: string; readonly default: string | number | undefined } & (
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'duration'; readonly least: Seconds; readonly most: Seconds }
  | { readonly kind: 'text'; readonly pattern: RegExp; readonly form: string; readonly without: string }
);

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

export const settings = {
  backend: {
    summary: 'where tokens rest',
    kind: 'choice',
    choices: ['auto', 'keyring', 'vault', 'memory'],
    default: 'auto',
  },
  'lease.idle': {
    summary: 'how long an unused token stays in memory',
    kind: 'duration',
    least: MINUTE,
    most: 30 * DAY,
    default: undefined,
  },
  'lease.max': {
    summary: 'how long any token stays in memory',
    kind: 'duration',
    least: MINUTE,
    most: 30 * DAY,
    default: DAY,
  },
  'log.level': {
    summary: 'how much the log tells',
    kind: 'choice',
    choices: ['error', 'warn', 'info', 'debug'],
    default: 'info',
  },
  'audit.keep': {
    summary: 'how long the audit log is kept',
    kind: 'duration',
    least: DAY,
    most: 3_650 * DAY,
    default: 90 * DAY,
  },
  'admin.idle': {
    summary: 'how long the process behind admin.sock stays when nobody asks',
    kind: 'duration',
    least: 1,
    most: DAY,
    default: MINUTE,
  },
  'erase.keep': {
    summary: 'how long what a tool erased can be brought back (token restore); 0: not at all',
    kind: 'duration',
    least: 0,
    most: 30 * DAY,
    default: 7 * DAY,
  },
  'events.lead': {
    summary: 'how long before its expiry a token is announced',
    kind: 'duration',
    least: 1,
    most: 90 * DAY,
    default: 15 * MINUTE,
  },
  'refresh.used-within': {
    summary: 'how long after it was last asked for a token of a login is still refreshed ahead of need',
    kind: 'duration',
    least: MINUTE,
    most: 90 * DAY,
    default: DAY,
  },
  'revoke.recheck': {
    summary: 'whether a revoked token is kept to look whether it stays dead, where its service may forget that',
    kind: 'choice',
    choices: ['on', 'off'],
    default: 'on',
  },
  'upstream.deadline': {
    summary: 'how long a service may take to answer',
    kind: 'duration',
    least: 1,
    most: 2 * MINUTE,
    default: 20,
  },
  'upstream.ca': {
    summary: 'certificates (PEM) that services may have beside the usual ones',
    kind: 'text',
    pattern: /^(|\/[^\p{Cc}]{1,1023})$/u,
    form: 'the path of a file from / on, or empty for none',
    without: 'none',
    default: undefined,
  },
  'upstream.proxy': {
    summary: 'the proxy by which services are called',
    kind: 'text',
    pattern: /^(|http:\/\/[A-Za-z0-9.[\]:-]{1,255})$/,
    form: 'http://HOST:PORT, or empty for none',
    without: 'none; HTTPS_PROXY changes nothing',
    default: undefined,
  },
  'upstream.offline': {
    summary: 'whether services are left alone',
    kind: 'choice',
    choices: ['on', 'off'],
    default: 'off',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as readonly SettingName[];

/** What a person wrote (`keyring`, `8h`, `90m`, `1d`, `3600s`) as it rests in the file. Throws `bad_config`. */
export function parseSetting(name: SettingName, text: string): string | number {
  const setting: Setting = settings[name];
  const unit = setting.kind === 'duration' ? /^([0-9]{1,8})(s|m|h|d)$/.exec(text) : null;
  const seconds = { s: 1, m: MINUTE, h: HOUR, d: DAY } as const;
  if (setting.kind === 'duration' && setting.least === 0 && text === '0') return 0;
  return checkSetting(name, unit ? Number(unit[1]) * seconds[unit[2] as keyof typeof seconds] : text);
}

/** A value of the file if it is a proper one. Throws `bad_config`. */
export function checkSetting(name: SettingName, value: unknown): string | number {
  const setting: Setting = settings[name];
  if (setting.kind === 'choice') {
    if (typeof value === 'string' && setting.choices.includes(value)) return value;
    throw unfit(name, `it is one of ${setting.choices.join(', ')}`);
  }
  if (setting.kind === 'text') {
    if (typeof value === 'string' && setting.pattern.test(value)) return value;
    throw unfit(name, `it is ${setting.form}`);
  }
  const { least, most } = setting;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw unfit(name, `it is a time from ${showDuration(least)} to ${showDuration(most)}, such as 8h or 30m`);
}

/** A value of the file for people. */
export function showSetting(name: SettingName, value: string | number | undefined): string {
  const setting: Setting = settings[name];
  if (setting.kind === 'text') return value === undefined || value === '' ? setting.without : String(value);
  if (value === undefined) return 'as the backend asks';
  return setting.kind === 'duration' ? showDuration(Number(value)) : String(value);
}

/**
 * The whole file, parsed. What it does not set is as the table says; names that the table does not have are a newer
 * version's, and skipped. Throws `bad_config`.
 */
export function readConfig(document: unknown): Config {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new KeyholdError('bad_config', 'cannot use the configuration: it is not one JSON object');
  }
  const of = (name: SettingName) => {
    const value = valueIn(document, name);
    return value === undefined ? settings[name].default : checkSetting(name, value);
  };
  const config = {
    backend: of('backend') as Config['backend'],
    leaseIdle: of('lease.idle') as Config['leaseIdle'],
    leaseMax: of('lease.max') as Config['leaseMax'],
    logLevel: of('log.level') as Config['logLevel'],
    auditKeep: of('audit.keep') as Config['auditKeep'],
    adminIdle: of('admin.idle') as Config['adminIdle'],
    refreshUsedWithin: of('refresh.used-within') as Config['refreshUsedWithin'],
    revokeRecheck: of('revoke.recheck') as Config['revokeRecheck'],
    eraseKeep: of('erase.keep') as Config['eraseKeep'],
    eventsLead: of('events.lead') as Config['eventsLead'],
    upstreamDeadline: of('upstream.deadline') as Config['upstreamDeadline'],
    upstreamCa: (of('upstream.ca') || undefined) as Config['upstreamCa'],
    upstreamProxy: (of('upstream.proxy') || undefined) as Config['upstreamProxy'],
    upstreamOffline: of('upstream.offline') as Config['upstreamOffline'],
  };
  if (config.leaseIdle !== undefined && config.leaseIdle > config.leaseMax) {
    throw unfit('lease.idle', `it is longer than lease.max, ${showDuration(config.leaseMax)}`);
  }
  return config;
}

/** What the file sets by that name; undefined if it sets nothing. Throws `bad_config` if its shape is another. */
export function valueIn(document: unknown, name: SettingName): unknown {
  let value = document;
  for (const part of name.split('.')) {
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw unfit(name, 'it is inside no object');
    value = Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
  }
  return value;
}

function showDuration(seconds: Seconds): string {
  for (const [unit, length] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', MINUTE],
  ] as const) {
    if (seconds % length === 0 && seconds >= length && !(unit === 'd' && seconds === DAY))
      return `${seconds / length}${unit}`;
  }
  return `${seconds}s`;
}

function unfit(name: string, rule: string): KeyholdError {
  return new KeyholdError('bad_config', `cannot use the setting ${name}: ${rule}`);
}
