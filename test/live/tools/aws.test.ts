import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Sts, startSts } from '../../fakes/tools/sts.ts';
import { need } from '../../need.ts';
import { aWiredPerson, type Wired } from './wired.ts';

describe.skipIf(!need('aws', 'apt-get install awscli'))('real aws, by what setup aws wrote', () => {
  let sts: Sts;
  let person: Wired;
  const URL = 'https://sts.amazonaws.com/lab';
  const TARGET = { protocol: 'https', host: 'sts.amazonaws.com', path: 'lab' };

  const identity = () =>
    person.run('aws', ['--profile', 'lab', '--endpoint-url', sts.url, 'sts', 'get-caller-identity'], {
      env: { AWS_EC2_METADATA_DISABLED: 'true', AWS_DEFAULT_REGION: 'us-east-1', AWS_MAX_ATTEMPTS: '1' },
      expect: 'any',
    });
  const helper = (words: readonly string[], input: string) =>
    person.run(join(person.home, '.local/bin/keyhold-helper'), ['aws', ...words], { input });
  const sessionKey = (seconds: number) =>
    JSON.stringify({
      Credentials: {
        AccessKeyId: sts.accessKeyId,
        SecretAccessKey: 'aws-EXAMPLE',
        SessionToken: sts.sessionToken,
        Expiration: new Date(Date.now() + seconds * 1_000).toISOString(),
      },
    });

  beforeEach(async () => {
    [sts, person] = await Promise.all([startSts(), aWiredPerson()]);
    mkdirSync(join(person.home, '.aws'));
    writeFileSync(join(person.home, '.aws/config'), '; mine\n[profile lab]\noutput = json');
    await person.setup('aws', '--aws-profile', 'lab');
  });
  afterEach(async () => {
    await person[Symbol.asyncDispose]();
    await sts[Symbol.asyncDispose]();
  });

  it('signs with the key that is kept for the profile, and says why where it cannot', {
    timeout: 180_000,
  }, async () => {
    const missing = await identity();
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('keyhold: no credential is held for this target');

    await helper(['store', URL], sessionKey(3_600));
    expect(await identity()).toMatchObject({ code: 0, stderr: '' });
    expect(sts.heard.at(-1)).toEqual({ accessKeyId: sts.accessKeyId, sessionToken: sts.sessionToken });

    const locked = await person.whileLocked(identity);
    expect(locked.stderr).toContain('keyhold: the credentials are locked; run: keyhold unlock');

    await person.forget(TARGET);
    await person.keepPast({ ...TARGET, username: sts.accessKeyId, password: 'aws-EXAMPLE' });
    expect((await identity()).stderr).toContain('keyhold: the credential is past its expiry');

    await person.forget(TARGET);
    await person.keyhold(['token', 'set', '--for', URL, '--username', 'AKIALASTINGEXAMPLE'], { input: 'aws-EXAMPLE' });
    await identity();
    expect(sts.heard.at(-1)).toEqual({ accessKeyId: 'AKIALASTINGEXAMPLE', sessionToken: undefined });
    const { before, after } = await person.undo('aws');
    expect(after).toEqual(before);
  });
});
