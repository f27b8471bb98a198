import { chmodSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { KUBECONFIG } from './examples.ts';
import { aHomeToWire, BIN, type Wiring } from './wiring.ts';

describe('setup of', () => {
  let wiring: Wiring;
  let wire: Wiring['wire'];
  let write: Wiring['write'];
  let read: Wiring['read'];
  let tree: Wiring['tree'];

  beforeEach(() => {
    wiring = aHomeToWire();
    ({ wire, write, read, tree } = wiring);
  });
  afterEach(() => wiring.remove());

  /** pnpm takes no path with a blank. */
  const moveToPlainPath = () => {
    wiring.remove();
    wiring = aHomeToWire('/opt/keyhold/bin');
    ({ wire, write, read, tree } = wiring);
  };
  /** What is told, in one text: of a secret there must be nothing. */
  const told = async (...asked: Parameters<Wiring['wire']>) => {
    const text = (await wire(...asked)).notices.join('\n');
    expect(text).not.toContain('EXAMPLE');
    return text;
  };
  /** A kubectl of that minor version, or one that says something else. */
  const kubectlOf = (says: string) => {
    write('bin/kubectl', `#!/bin/sh\necho '${says}'\n`);
    chmodSync(join(wiring.home, 'bin/kubectl'), 0o755);
    return { PATH: `${wiring.home}/bin:/usr/bin:/bin` };
  };
  const minor = (text: string) => JSON.stringify({ clientVersion: { minor: text } });

  it.each<[string, string, string, Record<string, string>, string]>([
    ['docker', '.docker/config.json', '{"credsStore": "pass"}', {}, '"credsStore"'],
    ['docker', '.docker/config.json', '{"credHelpers": {"h": "ecr-login"}}', { registry: 'h' }, '"credHelpers" › "h"'],
    ['docker', '.docker/config.json', '{"credHelpers": "x"}', { registry: 'h' }, '"credHelpers" is no object'],
    ['docker', '.docker/config.json', '["x"]', {}, 'not a JSON object'],
    [
      'podman',
      '.config/containers/registries.conf.d/50-keyhold.conf',
      'credential-helpers = ["pass"]',
      {},
      'credential-helpers',
    ],
    ['kubectl', '.kube/config', `${KUBECONFIG}- name: keyhold-dev\n  user: {}\n`, { context: 'dev' }, 'keyhold-dev'],
    ['aws', '.aws/config', '[default]\ncredential_process = other\n', {}, 'credential_process'],
    ['terraform', '.terraformrc', 'credentials_helper "other" {\n}\n', {}, 'credentials_helper'],
    ['pnpm', '.npmrc', '//npm.example/:tokenHelper=/opt/other', { for: 'https://npm.example' }, ':tokenHelper'],
  ])('%s leaves alone what somebody else wrote into %s (%#)', async (name, path, text, options, why) => {
    if (name === 'pnpm') moveToPlainPath();
    write(path, text);
    const environment = name === 'kubectl' ? kubectlOf(minor('32')) : {};
    const before = tree();
    await expect(wire(name, options, environment)).rejects.toThrow(why);
    expect(tree()).toEqual(before);
  });

  describe('docker', () => {
    it('tells who else has the secret, or is asked', async () => {
      const config = {
        auths: {
          'plain.example': { auth: 'cGxhaW4tRVhBTVBMRQ==' },
          'id.example': { identitytoken: 'x-EXAMPLE' },
          h: {},
        },
        credHelpers: { 'ecr.example': 'ecr-login' },
      };
      write('.docker/config.json', JSON.stringify(config));
      const text = await told('docker');
      expect(text).toContain(
        'config.json still holds a token for plain.example in plain text; take it over by: keyhold import',
      );
      expect(text).toContain('still holds a token for id.example');
      expect(text).not.toContain('token for h ');
      expect(text).toContain('docker goes on asking docker-credential-ecr-login for ecr.example, not keyhold');
      expect(text).toContain(`docker looks for its helpers on PATH, and ${BIN} is not there`);
      // For one registry the others are nobody's concern.
      const one = await told('docker', { registry: 'id.example' }, { PATH: `/usr/bin:${BIN}` });
      expect(one.split('\n')).toEqual([expect.stringContaining('still holds a token for id.example')]);
    });

    it('goes by DOCKER_CONFIG, and by the one key of Docker Hub', async () => {
      await wire('docker', { registry: 'docker.io' }, { DOCKER_CONFIG: join(wiring.home, 'my "docker"') });
      expect(JSON.parse(read('my "docker"/config.json'))).toEqual({
        credHelpers: { 'https://index.docker.io/v1/': 'keyhold' },
      });
      for (const registry of ['', 'a b', 'a\nb'])
        await expect(wire('docker', { registry })).rejects.toThrow('--registry');
    });
  });

  it.each([
    ['docker', { registry: 'ada@r.example' }, 'keyhold profile set account'],
    ['docker', { account: 'ada' }, 'keyhold profile set account'],
    ['podman', { account: 'ada' }, 'keyhold profile set account'],
    ['cargo', { account: 'ada' }, 'keyhold profile set account'],
    ['terraform', { account: 'ada' }, 'keyhold profile set account'],
    ['go', { account: 'ada' }, 'keyhold profile set account'],
    ['bazel', { account: 'ada' }, 'keyhold profile set account'],
    ['bazel', { for: 'https://ada@r.example' }, 'keyhold profile set account'],
    ['pip', { account: 'ada' }, "index's URL"],
    ['uv', { account: 'ada' }, "index's URL"],
    ['twine', { account: 'ada' }, 'twine upload --username NAME'],
    ['askpass', { account: 'ada' }, 'credential.https://HOST.username'],
  ])('%s with %j: no account is dropped in silence', async (name, options, instead) => {
    const before = tree();
    const why = await wire(name, options).then(String, (error: Error) => error.message);
    expect(why).toMatch(/^cannot set up \w+ for one account: \w+ cannot name it to keyhold; /);
    expect(why).toContain(instead);
    expect(tree()).toEqual(before);
  });

  it('podman comes before auth.json, and says that this is still used', async () => {
    expect(await told('podman')).toContain('what they hold in auth.json by themselves is still used');
    expect(read('.config/containers/registries.conf.d/50-keyhold.conf')).toBe(
      'credential-helpers = ["keyhold", "containers-auth.json"]\n',
    );
  });

  describe('kubectl', () => {
    const exec = () => {
      const { users } = parse(read('.kube/config')) as { users: { name: string; user: { exec: object } }[] };
      return users.find(({ name }) => name.startsWith('keyhold-'))?.user.exec;
    };
    beforeEach(() => write('.kube/config', KUBECONFIG));

    it.each([
      ['20', 'v1beta1'],
      ['20+', 'v1beta1'],
      ['21', 'v1beta1'],
      ['22', 'v1'],
      ['32', 'v1'],
    ])('of minor version %s is answered in %s', async (version, expected) => {
      await wire('kubectl', { context: 'dev' }, kubectlOf(minor(version)));
      expect(exec()).toEqual({
        apiVersion: `client.authentication.k8s.io/${expected}`,
        command: `${BIN}/keyhold-helper`,
        args: ['kubectl', 'get', 'https://k8s.example:6443'],
        // The older version of the protocol has no such word.
        ...(expected === 'v1' ? { interactiveMode: 'Never' } : {}),
        // By this kubectl says which server it will send the token to.
        provideClusterInfo: true,
      });
    });

    it('that cannot say its server gets the address of the cluster as an argument, and the person is told', async () => {
      const says = await told('kubectl', { context: 'dev' }, kubectlOf(minor('19')));
      expect(says).toContain('kubectl cannot say which server it asks for (it is older than 1.20)');
      const pinned = ['kubectl', 'get', 'https://k8s.example:6443', '--server', 'https://k8s.example:6443'];
      expect(exec()).toMatchObject({ args: pinned });
      expect(exec()).not.toHaveProperty('provideClusterInfo');
      const data = `, certificate-authority-data: ${'A'.repeat(60_000)}`;
      write('.kube/config', KUBECONFIG.replace(':6443"', `:6443"${data}`));
      const long = await told('kubectl', { context: 'dev' }, kubectlOf(minor('32')));
      expect(long).toContain("the cluster's certificate authority is too long");
      expect(exec()).toMatchObject({ args: pinned });
    });

    it('is not given the token of another server, unless both are named', async () => {
      const before = tree();
      const other = { context: 'dev', for: 'https://other.example' };
      await expect(wire('kubectl', other)).rejects.toThrow(
        'the token kept for https://other.example would go to https://k8s.example:6443, the address of dev; if that is meant, add: --server https://k8s.example:6443',
      );
      const wrong = { ...other, server: 'https://other.example' };
      await expect(wire('kubectl', wrong)).rejects.toThrow(
        '--server is https://other.example, and the address of dev is https://k8s.example:6443',
      );
      expect(tree()).toEqual(before);
      await wire('kubectl', { ...other, server: 'https://k8s.example:6443' });
      expect(exec()).toMatchObject({
        args: ['kubectl', 'get', 'https://other.example', '--server', 'https://k8s.example:6443'],
        provideClusterInfo: true,
      });
    });

    it.each([
      ['that cannot be asked', { PATH: '/nonexistent' }],
      ['that says something else', undefined],
    ])('%s is answered in v1', async (_, environment) => {
      await wire('kubectl', { context: 'dev' }, environment ?? kubectlOf('no JSON'));
      expect(exec()).toMatchObject({ apiVersion: 'client.authentication.k8s.io/v1' });
    });

    it('has one user of its own for a context, whatever its name, and tells of the one that stays', async () => {
      expect(await told('kubectl', { context: 'my "dev"' }, kubectlOf(minor('32')))).toContain('the user ada stays in');
      const { contexts, users } = parse(read('.kube/config'));
      expect(contexts.map(({ context }: { context: { user?: string } }) => context.user)).toEqual([
        'ada',
        'keyhold-my "dev"',
        undefined,
      ]);
      expect(users.map(({ name }: { name: string }) => name).sort()).toEqual(['ada', 'keyhold-my "dev"']);
    });

    it('says what it must be told, and changes nothing', async () => {
      const before = tree();
      await expect(wire('kubectl')).rejects.toThrow('needs --context');
      await expect(wire('kubectl', { context: 'none' })).rejects.toThrow('has no context of that name');
      await expect(wire('kubectl', { context: 'lost' })).rejects.toThrow('no cluster with an address');
      await expect(wire('kubectl', { context: 'dev' }, { KUBECONFIG: 'relative' })).rejects.toThrow('no absolute path');
      expect(tree()).toEqual(before);
      write('.kube/config', 'contexts: [');
      await expect(wire('kubectl', { context: 'dev' })).rejects.toThrow('not YAML');
    });

    it('has an account for each of two contexts of one server, by --account or by the user in --for', async () => {
      const shared = await told('kubectl', { context: 'dev' }, kubectlOf(minor('32')));
      expect(shared).toContain('dev has the server of my "dev": where that server has a token for each');
      const admin = { context: 'dev', account: 'system:serviceaccount:ns:admin' };
      expect(await told('kubectl', admin, kubectlOf(minor('32')))).not.toContain('has the server of');
      await wire('kubectl', { context: 'my "dev"', for: 'https://readonly@k8s.example:6443' }, kubectlOf(minor('32')));
      const { users } = parse(read('.kube/config')) as { users: { user: { exec?: { args: string[] } } }[] };
      expect(users.flatMap(({ user }) => (user.exec ? [user.exec.args] : [])).sort()).toEqual([
        ['kubectl', 'get', 'https://k8s.example:6443', '--account', 'readonly'],
        ['kubectl', 'get', 'https://k8s.example:6443', '--account', 'system:serviceaccount:ns:admin'],
      ]);
      const both = { context: 'dev', for: 'https://ada@k8s.example:6443', account: 'bob' };
      await expect(wire('kubectl', both)).rejects.toThrow('--for names another account than --account does');
    });

    it('writes to the first file of KUBECONFIG', async () => {
      write('my kube/one', KUBECONFIG);
      const KUBECONFIG_ = `:${wiring.home}/my kube/one:/nonexistent`;
      await wire('kubectl', { context: 'dev' }, { ...kubectlOf(minor('32')), KUBECONFIG: KUBECONFIG_ });
      expect(read('my kube/one')).toContain('keyhold-dev');
      expect(read('.kube/config')).toBe(KUBECONFIG);
    });
  });

  describe('aws', () => {
    it('quotes a path with a blank or a quote as aws takes it apart, and names the profile in the URL', async () => {
      await wire('aws', { 'aws-profile': 'lab' });
      expect(read('.aws/config')).toBe(
        `[profile lab]\ncredential_process = "${BIN}/keyhold-helper" aws get https://sts.amazonaws.com/lab\n`,
      );
      const quoted = aHomeToWire('/opt/a "b\\');
      await quoted.wire('aws');
      expect(quoted.read('.aws/config')).toBe(
        '[default]\ncredential_process = "/opt/a \\"b\\\\/keyhold-helper" aws get https://sts.amazonaws.com\n',
      );
      quoted.remove();
    });

    it('tells what aws would take first: a key of that very profile, or a variable', async () => {
      const key = 'aws_access_key_id=A\naws_secret_access_key = plain-EXAMPLE\n';
      write('.aws/credentials', `[default]\nregion=x\n[lab]\n${key}`);
      expect(await told('aws')).toBe('');
      expect(await told('aws', { 'aws-profile': 'lab' })).toContain(
        'holds a key for lab in plain text, and aws takes that first',
      );
      expect(await told('aws', {}, { AWS_SECRET_ACCESS_KEY: 'x-EXAMPLE' })).toContain('AWS_SECRET_ACCESS_KEY is set');
      await expect(wire('aws', { 'aws-profile': 'a]\nb' })).rejects.toThrow('--aws-profile');
    });

    it('names the account, which is the id of the key', async () => {
      await wire('aws', { account: 'AKIA EXAMPLE' });
      expect(read('.aws/config')).toContain(' aws get https://sts.amazonaws.com --account "AKIA EXAMPLE"\n');
    });

    it('goes by AWS_CONFIG_FILE', async () => {
      await wire('aws', {}, { AWS_CONFIG_FILE: join(wiring.home, 'my aws') });
      expect(read('my aws')).toContain('credential_process');
    });
  });

  describe('terraform', () => {
    const plugin = '.terraform.d/plugins/terraform-credentials-keyhold';

    it('finds its helper in a folder of its own', async () => {
      expect(await told('terraform')).toBe('');
      expect(read('.terraformrc')).toBe('credentials_helper "keyhold" {\n  args = []\n}\n');
      expect(readlinkSync(join(wiring.home, plugin))).toBe(`${BIN}/terraform-credentials-keyhold`);
    });

    it('tells what terraform would take first', async () => {
      write('.terraform.d/credentials.tfrc.json', '{\n  "credentials": {"h.example": {"token": "plain-EXAMPLE"}}\n}');
      write('my terraformrc', 'credentials "h.example" {\n  token = "plain-EXAMPLE"\n}\n');
      const TF_CLI_CONFIG_FILE = join(wiring.home, 'my terraformrc');
      const text = await told('terraform', {}, { TF_CLI_CONFIG_FILE, TF_TOKEN_h_example: 'x-EXAMPLE' });
      expect(text).toContain('credentials.tfrc.json still holds a token in plain text, and terraform takes that first');
      expect(text).toContain('my terraformrc still holds a token');
      expect(text).toContain('TF_TOKEN_h_example is set');
      expect(read('my terraformrc')).toContain('credentials_helper "keyhold"');
    });

    it('does not take the place of another helper in that folder', async () => {
      write('.terraform.d/plugins/mine', '');
      symlinkSync('mine', join(wiring.home, plugin));
      const before = tree();
      await expect(wire('terraform')).rejects.toThrow('was not written by keyhold');
      expect(tree()).toEqual(before);
    });
  });

  describe('pnpm', () => {
    beforeEach(moveToPlainPath);

    it.each([
      ['https://npm.example', 'keyhold-npm@npm.example', '//npm.example/'],
      ['https://npm.example:8443/a/b/', 'keyhold-npm@https@npm.example:8443@a@b', '//npm.example:8443/a/b/'],
      ['http://npm.example', 'keyhold-npm@http@npm.example', '//npm.example/'],
    ])('says by the name of its helper that %s is meant', async (url, name, registry) => {
      const { links } = await wire('pnpm', { for: url });
      const path = join(wiring.home, '.local/share/keyhold/npm', name);
      expect(links).toEqual([{ path, target: '/opt/keyhold/bin/keyhold-helper' }]);
      expect(read('.npmrc')).toBe(`${registry}:tokenHelper=${path}\n`);
    });

    it.each([
      [{ for: 'https://ada@npm.example' }, 'keyhold-npm@https@ada@@npm.example'],
      [
        { for: 'https://npm.example/a', account: 'ada@example.org' },
        'keyhold-npm@https@ada=40example.org@@npm.example@a',
      ],
    ])('says by that name which account is meant: %j', async (options, name) => {
      const { links } = await wire('pnpm', options);
      expect(links.map(({ path }) => path)).toEqual([join(wiring.home, '.local/share/keyhold/npm', name)]);
    });

    it('goes by NPM_CONFIG_USERCONFIG, as import does', async () => {
      await wire('pnpm', { for: 'https://npm.example' }, { NPM_CONFIG_USERCONFIG: join(wiring.home, 'my npmrc') });
      expect(read('my npmrc')).toContain(':tokenHelper=');
      expect(tree()).not.toContainEqual(expect.stringContaining('.npmrc'));
    });

    it('tells of a token in plain text for that registry', async () => {
      write('.npmrc', '//npm.example/:_authToken=plain-EXAMPLE\n//other.example/:_password=plain-EXAMPLE\n');
      expect(await told('pnpm', { for: 'https://npm.example' })).toContain('still holds a token for //npm.example/');
      expect(await told('pnpm', { for: 'https://third.example' })).toBe('');
    });

    it('refuses what pnpm could not run, and what is no registry', async () => {
      const before = tree();
      for (const XDG_DATA_HOME of ['my data', "ada's", 'a$b', 'a`b', 'a"b'].map((name) => join(wiring.home, name))) {
        await expect(wire('pnpm', { for: 'https://npm.example' }, { XDG_DATA_HOME })).rejects.toThrow('could not run');
      }
      await expect(wire('pnpm')).rejects.toThrow('needs --for');
      for (const url of ['ssh://npm.example', 'https://npm.example/@scope']) {
        await expect(wire('pnpm', { for: url })).rejects.toThrow('no URL of a registry');
      }
      expect(tree()).toEqual(before);
    });
  });
});
