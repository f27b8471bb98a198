import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Authority, openAuthority } from '../../fakes/certificates.ts';
import { startGitServer } from '../../fakes/git-server.ts';
import { startCargoRegistry } from '../../fakes/tools/cargo-registry.ts';
import { startDockerRegistry } from '../../fakes/tools/docker-registry.ts';
import { basic } from '../../fakes/tools/http.ts';
import { kubeConfig, startKubeApi } from '../../fakes/tools/kube-api.ts';
import { startNpmRegistry } from '../../fakes/tools/npm-registry.ts';
import { type OneHost, type Place, startOneHost } from '../../fakes/tools/one-host.ts';
import { startPythonIndex } from '../../fakes/tools/python-index.ts';
import { startTerraformRegistry } from '../../fakes/tools/terraform-registry.ts';
import { isThere, need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { aVirtualPip, findToolchain, hasPip, pnpmVersions } from './clients.ts';
import { aWiredPerson, type Wired } from './wired.ts';

const TOKEN = 'one-for-all-EXAMPLE';
const toolchain = findToolchain();
const openssl = need('openssl', 'apt-get install openssl');
/** What is there; Debian and npm have all but a cargo that is new enough and terraform. */
const present: Readonly<Record<string, boolean>> = {
  git: need('git', 'apt-get install git'),
  docker:
    need('docker', 'apt-get install docker.io') &&
    need('docker-registry', 'apt-get install docker-registry') &&
    need('htpasswd', 'apt-get install apache2-utils') &&
    need('skopeo', 'apt-get install skopeo'),
  cargo: toolchain !== undefined,
  pip: hasPip(),
  pnpm: true,
  terraform: isThere('terraform', 'https://developer.hashicorp.com/terraform/install'),
  kubectl: need('kubectl', 'apt-get install kubernetes-client'),
};

let resources: AsyncDisposableStack;
let authority: Authority;
let front: OneHost;
let person: Wired;

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  if (!openssl) return;
  const folder = temporaryFolder('one-token');
  resources.defer(() => folder.remove());
  authority = openAuthority(folder.path);
  const [places] = await Promise.all([
    startPlaces(join(folder.path, 'git')),
    aWiredPerson(surroundings()).then((wired) => {
      person = resources.use(wired);
    }),
  ]);
  front = resources.use(await startOneHost(authority, places));
});
afterEach(() => resources.disposeAsync());

/** What answers each client, told by its paths: an index of cargo must be the root of its host, so it has what is left. */
async function startPlaces(repositories: string): Promise<Place[]> {
  mkdirSync(repositories);
  const git = resources.use(await startGitServer(repositories));
  git.passwords.set('ada', TOKEN);
  await git.addRepository('work.git');
  const pip = resources.use(await startPythonIndex());
  pip.accepted.add(basic('ada', TOKEN));
  const [pnpm, terraform] = [resources.use(await startNpmRegistry()), resources.use(await startTerraformRegistry())];
  for (const { accepted } of [pnpm, terraform]) accepted.add(`Bearer ${TOKEN}`);
  const cargo = resources.use(await startCargoRegistry(''));
  cargo.accepted.add(TOKEN);
  const kubectl = resources.use(await startKubeApi(authority));
  kubectl.token = TOKEN;
  const docker = present['docker'] ? resources.use(await startDockerRegistry(TOKEN)) : undefined;
  return [
    { client: 'git', paths: /^\/work\.git\//, url: git.url },
    ...(docker ? [{ client: 'docker', paths: /^\/v2\//, url: `http://${docker.host}` }] : []),
    { client: 'pip', paths: /^\/(simple|files)\//, url: pip.url },
    { client: 'pnpm', paths: /^\/labdemo(\/-|$)/, url: pnpm.url },
    { client: 'terraform', paths: /^\/(\.well-known\/terraform\.json$|v1\/modules\/)/, url: terraform.url },
    { client: 'kubectl', paths: /^\/version$/, url: kubectl.url },
    { client: 'cargo', paths: /^\//, url: cargo.url },
  ];
}

/** Where each client finds the test's authority, and its own peace. */
function surroundings(): Readonly<Record<string, string>> {
  const { file } = authority;
  return {
    ...{
      GIT_SSL_CAINFO: file,
      CARGO_HTTP_CAINFO: file,
      PIP_CERT: file,
      NODE_EXTRA_CA_CERTS: file,
      SSL_CERT_FILE: file,
    },
    ...{ CARGO_NET_RETRY: '0', CARGO_TERM_COLOR: 'never', CARGO_HTTP_TIMEOUT: '10' },
    ...{ PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_CACHE_DIR: '1', PIP_RETRIES: '0' },
    ...{ CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' },
  };
}

/** A file below the desk or the home folder. */
function write(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** What setup said to put on PATH, and a cargo that is new enough. */
const folders = () => [
  ...['.local/share/keyhold/path/pip', '.local/bin'].map((folder) => join(person.home, folder)),
  ...(toolchain ? [join(toolchain, 'bin')] : []),
];
const run = (program: string, words: readonly string[], cwd = person.desk, env: Record<string, string> = {}) =>
  person.run(program, words, {
    cwd,
    env: {
      PATH: [...folders(), person.env['PATH']].join(':'),
      ...env,
    },
    expect: 'any',
  });

/** One client: what its person has already, how it is wired, and what it fetches. */
type Client = {
  readonly prepare?: () => void;
  readonly wire: () => Promise<void>;
  readonly fetch: () => ReturnType<Wired['run']>;
};

const clients: Readonly<Record<string, Client>> = {
  git: {
    prepare: () => write(join(person.home, '.gitconfig'), '[user]\n\tname = Ada'),
    wire: () => person.setup('git'),
    fetch: () => run('git', ['clone', '-q', `${front.url}/work.git`, 'work']),
  },
  docker: {
    prepare: () => write(join(person.home, '.docker/config.json'), '{"HttpHeaders": {"X-Mine": "1"}}'),
    wire: () => person.setup('docker'),
    fetch: () => run('docker', ['manifest', 'inspect', `${front.host}/lab/demo:one`]),
  },
  cargo: {
    prepare: () => write(join(person.home, '.cargo/config.toml'), `[registries.lab]\nindex = "sparse+${front.url}/"`),
    wire: () => person.setup('cargo'),
    fetch() {
      const manifest = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n';
      const dependencies = '[dependencies]\nlabdemo = { version = "0.1", registry = "lab" }\n';
      write(join(person.desk, 'crate/Cargo.toml'), `${manifest}${dependencies}`);
      write(join(person.desk, 'crate/src/lib.rs'), '');
      return run('cargo', ['fetch'], join(person.desk, 'crate'));
    },
  },
  pip: {
    async wire() {
      await aVirtualPip(person);
      await person.setup('pip');
    },
    fetch() {
      const index = `${front.url.replace('//', '//ada@')}/simple/`;
      const words = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', 'target', '--index-url', index, 'labdemo'];
      return run(join(person.desk, 'venv/bin/python'), words);
    },
  },
  pnpm: {
    prepare: () => write(join(person.home, '.npmrc'), 'loglevel=warn'),
    wire: () => person.setup('pnpm', '--for', `${front.url}/`),
    fetch() {
      const folder = join(person.desk, 'package');
      write(join(folder, 'package.json'), '{"name":"app","version":"1.0.0","dependencies":{"labdemo":"1.0.0"}}');
      write(join(folder, '.npmrc'), `registry=${front.url}/\nfetch-retries=0\n`);
      const [program = '', ...first] = pnpmVersions['pnpm 10']!;
      const words = [...first, 'install', '--no-frozen-lockfile', '--store-dir', '../store', '--ignore-scripts'];
      return run(program, words, folder, { CI: 'true' });
    },
  },
  terraform: {
    prepare: () => write(join(person.home, '.terraformrc'), '# mine'),
    wire: () => person.setup('terraform'),
    fetch() {
      write(join(person.desk, 'root/main.tf'), `module "demo" {\n  source = "${front.host}/acme/demo/null"\n}\n`);
      return run('terraform', ['init', '-no-color', '-input=false'], join(person.desk, 'root'));
    },
  },
  kubectl: {
    prepare: () => write(join(person.home, '.kube/config'), kubeConfig(front.url, authority)),
    wire: () => person.setup('kubectl', '--context', 'dev'),
    fetch: () => run('kubectl', [`--cache-dir=${person.desk}`, '--request-timeout=10s', 'get', '--raw', '/version']),
  },
};

/** What each has on disk when it has fetched: the exit code alone does not tell. */
const fetched = {
  git: 'work/.git',
  pip: 'target/labdemo.py',
  pnpm: 'package/node_modules/labdemo/index.js',
  terraform: 'root/.terraform/modules/demo/main.tf',
};

const TITLE = 'one token, stored once, serves every tool at one host, and no setup leaves a trace';
it.skipIf(!openssl)(TITLE, { timeout: 180_000 }, async () => {
  const here = Object.entries(clients).filter(([name]) => present[name]);
  for (const [, { prepare }] of here) prepare?.();
  for (const [, { wire }] of here) await wire();
  // A kubectl that goes by its cluster's version asks for that with the old token while it is wired.
  front.shown.length = 0;
  await person.keyhold(['token', 'set', '--for', front.url, '--username', 'ada'], { input: TOKEN });

  for (const [name, { fetch }] of here) {
    const { code, stdout, stderr } = await fetch();
    expect(`${code} ${code === 0 ? '' : `${stdout}${stderr}`}`, name).toBe('0 ');
    // Let in by that very token, and nobody showed another.
    const shown = front.shown.filter(({ client, token }) => client === name && token !== undefined);
    expect(new Set(shown.map(({ token }) => token)), name).toEqual(new Set([TOKEN]));
    expect(
      shown.some(({ status }) => status < 300),
      name,
    ).toBe(true);
  }
  for (const [name, path] of Object.entries(fetched)) {
    if (present[name]) expect(existsSync(join(person.desk, path)), name).toBe(true);
  }
  const { items } = JSON.parse((await person.keyhold(['token', 'list', '--json'])).stdout) as { items: unknown[] };
  expect(items).toMatchObject([{ protocol: 'https', host: front.host, username: 'ada' }]);
  expect(items).toHaveLength(1);

  const { before, after } = await person.undo(...here.map(([name]) => name));
  expect(after.filter((entry) => !entry.startsWith('.terraform.d/checkpoint'))).toEqual(before);
});
