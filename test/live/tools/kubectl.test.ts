import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, openAuthority } from '../../fakes/certificates.ts';
import { type KubeApi, kubeConfig, startKubeApi } from '../../fakes/tools/kube-api.ts';
import { need } from '../../need.ts';
import { type TemporaryFolder, temporaryFolder } from '../../temporary.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const kubectl = need('kubectl', 'apt-get install kubernetes-client') && need('openssl', 'apt-get install openssl');

describe.skipIf(!kubectl)('real kubectl, by what setup kubectl wrote', () => {
  let folder: TemporaryFolder;
  let authority: Authority;
  let api: KubeApi;
  let person: Wired;

  const config = () => join(person.home, '.kube/config');
  const version = () =>
    person.run('kubectl', [`--cache-dir=${person.desk}`, '--request-timeout=10s', 'get', '--raw', '/version'], {
      expect: 'any',
    });
  const target = () => ({ protocol: 'https', host: api.url.slice('https://'.length) });

  beforeAll(async () => {
    folder = temporaryFolder('kube');
    authority = openAuthority(folder.path);
    [api, person] = await Promise.all([startKubeApi(authority), aWiredPerson()]);
    mkdirSync(join(person.home, '.kube'));
    writeFileSync(config(), kubeConfig(api.url, authority));
  });
  afterAll(async () => {
    await person[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
    folder.remove();
  });

  it('sends the token that is kept for the cluster, and says why where it cannot', async () => {
    await person.setup('kubectl', '--context', 'dev');
    expect(readFileSync(config(), 'utf8')).toContain('user: "keyhold-dev" # who else');
    const missing = await version();
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('keyhold: no credential is held for this target');

    await person.keyhold(['token', 'set', '--for', api.url], { input: api.token });
    expect(await version()).toMatchObject({ code: 0 });
    expect(api.heard.at(-1)).toBe('token');

    const locked = await person.whileLocked(version);
    expect(locked.stderr).toContain('keyhold: the credentials are locked; run: keyhold unlock');
    await person.keepPast({ ...target(), password: api.token });
    expect((await version()).stderr).toContain('keyhold: the credential is past its expiry');

    const { before, after } = await person.undo('kubectl');
    expect(after).toEqual(before);
  });

  it('shows the client certificate that is kept for the cluster', async () => {
    await person.forget(target());
    await person.setup('kubectl', '--context', 'dev');
    const { cert, key } = authority.issue('DNS:ada');
    const helper = join(person.home, '.local/bin/keyhold-helper');
    await person.run(helper, ['kubectl', 'store', api.url], { input: `${key}${cert}` });
    const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout) as {
      items: { expiresAt?: number }[];
    };
    expect(items[0]!.expiresAt).toBeGreaterThan(Date.now() / 1_000);
    expect(await version()).toMatchObject({ code: 0 });
    expect(api.heard.at(-1)).toBe('certificate');
    const { before, after } = await person.undo('kubectl');
    expect(after).toEqual(before);
  });
});
