import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  accountFor,
  checkProfileKey,
  checkProfileName,
  checkProfileSetting,
  chooseProfile,
  isFolder,
  isProfileName,
  readProfiles,
  settingFor,
} from '../../protocol/profiles.ts';

describe('the name of a profile', () => {
  test.each(['work', 'a', '0', 'work.eu-1_b', 'x'.repeat(64)])('may be %s', (name) => {
    expect(checkProfileName(name)).toBe(name);
  });

  test.each([
    '',
    '.',
    '..',
    '../../x',
    '/etc/passwd',
    'a/b',
    'Work',
    '-p',
    '_a',
    'a b',
    'a\0',
    'a\n',
    'ä',
    'x'.repeat(65),
    'x'.repeat(300),
    '__proto__',
  ])('may not be %j, and is not repeated in the refusal', (name) => {
    expect(() => checkProfileName(name)).toThrow(/^cannot use that profile name: it is 1 to 64 of a-z 0-9/);
  });

  it('is never anything that a path could be made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (name) => {
        expect(isProfileName(name) && /[/\0\\]|^\.|^-/.test(name)).toBe(false);
      }),
    );
  });
});

describe('a setting of a profile', () => {
  test.each([
    ['account', 'ada'],
    ['account.git.example:8443', 'zoë'],
    ['account.[::1]', 'ada'],
    ['endpoint.podstack', 'https://api.example/v1'],
    ['endpoint', 'http://127.0.0.1:8080'],
    ['endpoint.pogo', 'pogo://build.example:7777'],
    ['project', 'p-1'],
    ['output', 'json'],
  ])('may be %s = %s', (key, value) => {
    expect(() => checkProfileSetting(key, value)).not.toThrow();
  });

  test.each([
    ['token', 'x'],
    ['constructor', 'x'],
    ['', 'x'],
    ['output.x', 'json'],
    ['account.', 'x'],
    ['account.a b', 'x'],
  ])('has no key %j', (key) => {
    expect(() => checkProfileKey(key)).toThrow(/^cannot set that key of a profile: there are account/);
  });

  test.each([
    ['account', ''],
    ['account', 'a\nb'],
    ['account', 'x'.repeat(1_025)],
    ['output', 'yaml'],
    ['endpoint', 'api.example'],
    ['endpoint', 'https://'],
    ['endpoint', 'https://user@x'],
    ['endpoint', 'https://x/?q'],
    ['endpoint', 'https://good.example\\@evil.example'],
    ['project', '\ufffd'],
  ])('%s may not be %j', (key, value) => {
    expect(() => checkProfileSetting(key, value)).toThrow(/^cannot set [a-z]+: /);
  });
});

describe('the file', () => {
  test.each([
    [undefined],
    [[]],
    ['x'],
    [{ profiles: [] }],
    [{ profiles: { '../x': {} } }],
    [{ profiles: { a: 'x' } }],
    [{ profiles: { a: { account: 1 } } }],
    [{ profiles: { a: { output: 'yaml' } } }],
    [{ default: 'a' }],
    [{ default: 1 }],
    [{ folders: { '/a': 'work' } }],
    [{ profiles: { a: {} }, folders: { 'a/b': 'a' } }],
    [{ profiles: { a: {} }, folders: { '/a/../b': 'a' } }],
    [{ profiles: Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`p${at}`, {}])) }],
  ])('is refused as a whole where it breaks a rule: %j', (document) => {
    expect(() => readProfiles(document)).toThrow(/^cannot use profiles\.json: /);
  });

  it('may hold what only a newer version knows', () => {
    const { profiles } = readProfiles({ newer: 1, profiles: { a: { account: 'ada', later: ['x'] } } });
    expect([...profiles.get('a')!]).toEqual([['account', 'ada']]);
  });
});

describe('the choice', () => {
  const profiles = readProfiles({
    default: 'home',
    profiles: { home: { account: 'ada' }, work: { account: 'bob', 'account.b.example': 'eve' }, root: {} },
    folders: { '/src': 'work', '/src/a/b': 'root' },
  });

  test.each([
    [undefined, undefined, 'home default'],
    [undefined, '/', 'home default'],
    [undefined, '/src', 'work folder /src'],
    [undefined, '/src/', 'work folder /src'],
    [undefined, '/src/a', 'work folder /src'],
    [undefined, '/src/a/b/c/d', 'root folder /src/a/b'],
    [undefined, '/srcs', 'home default'],
    [undefined, 'src', 'home default'],
    ['root', '/src', 'root name'],
  ])('of %s in %s is %s', (asked, cwd, expected) => {
    const { name, by, folder } = chooseProfile(profiles, asked, cwd)!;
    expect([name, by, folder].filter((part) => part !== undefined).join(' ')).toBe(expected);
  });

  it('is none where nothing chooses, and may be bound to the root', () => {
    expect(chooseProfile(readProfiles({ profiles: { a: {} } }), undefined, '/x')).toBeUndefined();
    expect(chooseProfile(readProfiles({ profiles: { a: {} }, folders: { '/': 'a' } }), undefined, '/x')?.name).toBe(
      'a',
    );
  });

  it('refuses a name that is not there, and does not fall back', () => {
    expect(() => chooseProfile(profiles, 'play', '/src')).toThrow('there is none; see: keyhold profile list');
    expect(() => chooseProfile(profiles, '../../x', '/src')).toThrow('cannot use that profile name');
  });

  it('takes what is set for one host or service before what is set for all', () => {
    const { profile } = chooseProfile(profiles, 'work', undefined)!;
    expect(accountFor(profile, { protocol: 'https', host: 'b.example' })).toBe('eve');
    expect(accountFor(profile, { protocol: 'https', host: 'c.example' })).toBe('bob');
    expect(settingFor(profile, 'project', 'pogo')).toBeUndefined();
  });
});

test.each([
  ['/', true],
  ['/a b/ü', true],
  ['/a/', false],
  ['//a', false],
  ['/a/./b', false],
  ['a', false],
  ['/a\n', false],
  [`/${'x'.repeat(4_096)}`, false],
])('a folder may be %j: %s', (path, may) => {
  expect(isFolder(path)).toBe(may);
});
