import { chmodSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openProfiles, preferenceOf } from '../../../daemon/credentials/profiles.ts';
import { noProfiles, readProfiles } from '../../../protocol/profiles.ts';
import { toWire } from '../../../protocol/text.ts';
import { aRequest } from '../../fakes/core.ts';
import { temporaryFolder } from '../../temporary.ts';

function aFile(): string {
  const { path, remove } = temporaryFolder('profiles');
  onTestFinished(remove);
  return `${path}/profiles.json`;
}

describe('the book of profiles', () => {
  it('is empty without a file, and reads it when it is told', () => {
    const file = aFile();
    const book = openProfiles(file);
    expect(book.current()).toBe(noProfiles);
    expect(book.degradations()).toEqual([]);
    writeFileSync(file, JSON.stringify({ profiles: { work: { account: 'ada' } } }));
    expect(book.current()).toBe(noProfiles);
    expect(book.reload()).toBe(1);
    expect(book.current().profiles.has('work')).toBe(true);
  });

  it.each([
    ['{"profiles": {"work": {"account": "hunter-EXAMPLE', 'it is no JSON object'],
    ['{"default":"play"}', 'the default is a profile that is not there'],
    [' '.repeat(1_048_577), 'it is no JSON object'],
  ])('takes a file that cannot be used for none, says so, and quotes nothing of it (%#)', (text, why) => {
    const file = aFile();
    writeFileSync(file, text);
    const book = openProfiles(file);
    expect(book.current()).toBe(noProfiles);
    const [degradation] = book.degradations();
    expect(degradation).toMatchObject({ code: 'bad-profiles' });
    expect(degradation!.what).toContain(why);
    expect(JSON.stringify(degradation)).not.toContain('EXAMPLE');
    expect(() => book.reload()).toThrow('cannot use profiles.json');
    writeFileSync(file, '{}');
    expect(book.reload()).toBe(0);
    expect(book.degradations()).toEqual([]);
  });

  it('starts where the file may not be read', () => {
    const file = aFile();
    writeFileSync(file, '{}');
    chmodSync(file, 0);
    chmodSync(dirname(file), 0o711);
    // Root may read everything, so for the moment we are nobody.
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(65_534);
    try {
      expect(openProfiles(file).degradations()).toMatchObject([{ what: expect.stringContaining('EACCES') as string }]);
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });
});

describe('the preference of a request', () => {
  const profiles = readProfiles({ default: 'work', profiles: { work: { account: 'zoë' } } });

  it('is the account as the wire has it, unless the request names a user', () => {
    expect(preferenceOf(profiles, aRequest('get')).account).toBe(toWire('zoë'));
    const named = preferenceOf(profiles, aRequest('get', { username: 'bob' }));
    expect(named).toMatchObject({ choice: { name: 'work' } });
    expect(named.account).toBeUndefined();
  });

  it('makes nothing at all where there are no profiles', () => {
    const request = aRequest('get', { cwd: '/src' });
    expect(preferenceOf(noProfiles, request)).toBe(preferenceOf(noProfiles, aRequest('get')));
  });

  it('refuses a name also where there are no profiles', () => {
    expect(() => preferenceOf(noProfiles, aRequest('get', { profile: 'work' }))).toThrow('there is none');
  });
});
