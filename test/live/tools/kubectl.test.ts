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
  const ask = (...flags: string[]) =>
    person.run(
      'kubectl',
      [`--cache-dir=${person.desk}`, '--request-timeout=10s', ...flags, 'get', '--raw', '/version'],
      {
        expect: 'any',
      },
    );
  const version = () => ask();
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

  it('gives the token to no other server, whoever changed the address', async () => {
    await using other = await startKubeApi(authority);
    await person.forget(target());
    await person.setup('kubectl', '--context', 'dev');
    await person.keyhold(['token', 'set', '--for', api.url], { input: api.token });
    expect(await version()).toMatchObject({ code: 0 });

    const refused = `keyhold: cannot give kubectl the token kept for ${api.url}: kubectl would send it to ${other.url};`;
    const [heard] = [api.heard.length];
    const flag = await ask('--server', other.url);
    expect(flag.code).not.toBe(0);
    expect(flag.stderr).toContain(refused);
    await person.run('kubectl', ['config', 'set-cluster', 'lab', '--server', other.url]);
    const changed = await version();
    expect(changed.code).not.toBe(0);
    expect(changed.stderr).toContain(refused);
    expect(other.heard.filter((by) => by !== 'nobody')).toEqual([]);
    expect(api.heard.length).toBe(heard);

    // Told so, it goes there and nowhere else.
    other.token = api.token;
    await person.keyhold(['setup', 'kubectl', '--context', 'dev', '--for', api.url, '--server', other.url]);
    expect(await version()).toMatchObject({ code: 0 });
    expect(other.heard.at(-1)).toBe('token');
    const back = await ask('--server', api.url);
    expect(back.stderr).toContain(`which may go to ${other.url}: kubectl would send it to ${api.url};`);

    await person.keyhold(['setup', 'kubectl', '--undo']);
    writeFileSync(config(), kubeConfig(api.url, authority));
  });

  it('leaves nothing of keyhold in a file that kubectl has rewritten since, also after a second setup', async () => {
    const users = () => readFileSync(config(), 'utf8');
    await person.setup('kubectl', '--context', 'dev');
    await person.run('kubectl', ['config', 'set-context', 'mine', '--cluster=lab', '--user=ada']);
    expect(users()).toContain('env: null');
    await person.keyhold(['setup', 'kubectl', '--context', 'dev']);
    await person.run('kubectl', ['config', 'rename-context', 'dev', 'lab']);
    const { stdout } = await person.keyhold(['setup', 'kubectl', '--undo']);
    expect(stdout).toContain("removed keyhold's lines only, because the file was changed since");
    expect(users()).not.toContain('keyhold');
    const view = await person.run('kubectl', ['config', 'view', '-o', 'jsonpath={.contexts[*].context.user}']);
    expect(view.stdout).toBe('ada ada');
    writeFileSync(config(), kubeConfig(api.url, authority));
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

  it('sends for each of two contexts of one server the token of the account that it was set up for', async () => {
    await person.forget(target());
    const text = kubeConfig(api.url, authority);
    const second = 'contexts:\n- {name: view, context: {cluster: lab, user: ada}}\n';
    writeFileSync(config(), text.replace('contexts:\n', second));
    await person.keep({ ...target(), username: 'readonly', password: 'readonly-EXAMPLE' });
    await person.keep({ ...target(), username: 'admin', password: 'admin-EXAMPLE' });
    await person.setup('kubectl', '--context', 'view', '--for', api.url.replace('//', '//readonly@'));
    await person.setup('kubectl', '--context', 'dev', '--account', 'admin');
    const opens = async (token: string, context: string) => {
      api.token = token;
      return (await ask('--context', context)).code === 0;
    };
    try {
      expect(await opens('readonly-EXAMPLE', 'view')).toBe(true);
      expect(await opens('admin-EXAMPLE', 'view')).toBe(false);
      expect(await opens('admin-EXAMPLE', 'dev')).toBe(true);
      expect(await opens('readonly-EXAMPLE', 'dev')).toBe(false);
    } finally {
      api.token = 'k8s-one-EXAMPLE';
      await person.keyhold(['setup', 'kubectl', '--undo']);
      writeFileSync(config(), text);
      for (const username of ['readonly', 'admin']) await person.forget({ ...target(), username });
    }
  });
});
