import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeLeaves } from '../../../client/formats/remove.ts';
import { searchPlaintext } from '../../../client/import/find.ts';
import { sources } from '../../../client/import/index.ts';
import { serviceSources } from '../../../client/import/services.ts';
import { readCatalogue } from '../../../client/services/catalogue.ts';
import { fromWire } from '../../../protocol/text.ts';
import { textOf } from '../../fakes/core.ts';
import { temporaryFolder } from '../../temporary.ts';
import { files, writeFiles } from './files.ts';

function aHome(): string {
  const { path, remove } = temporaryFolder('import');
  onTestFinished(remove);
  return path;
}

/** `source protocol://user@host/path = value` of every token, and `source why` of all that was passed. */
async function found(home: string, environment: Record<string, string> = {}, only: string[] = []) {
  const searched = await searchPlaintext({ home, environment }, only);
  const entries = searched.flatMap((one) =>
    one.status === 'ok'
      ? one.entries.map(({ target: { protocol, host, path, username }, secret }) => {
          const user = username === undefined ? '' : `${fromWire(username)}@`;
          return `${one.source.name} ${protocol}://${user}${host}${path === undefined ? '' : `/${path}`} = ${textOf(secret)}`;
        })
      : [],
  );
  const passed = searched.flatMap((one) =>
    one.status === 'ok' ? one.passed.map(({ why }) => `${one.source.name} ${why}`) : [`${one.source.name} ${one.why}`],
  );
  return { entries, passed, searched };
}

/** Whether a text is another of which parts were taken out. */
function isLess(after: string, before: string): boolean {
  let at = 0;
  for (const character of before) if (character === after[at]) at++;
  return at === after.length && after.length < before.length;
}

describe('the tokens that lie in plaintext', () => {
  it('are found in the file of every source, each for what its tool will ask for', async () => {
    const home = aHome();
    writeFiles(home);
    const { entries, passed } = await found(home);
    expect(entries).toEqual([
      'git https://ada@git.example = gitt0-EXAMPLE',
      'git https://b@b@git.example:8443/team/x.git = gitt1-EXAMPLE',
      'git https://c@c.example = gitt2-EXAMPLE',
      'netrc https://ada@n.example = netrct0-EXAMPLE',
      'netrc https://bob@m.example = netrct1-EXAMPLE',
      'docker https://ada@index.docker.io = dockert0-EXAMPLE',
      'docker https://bob@r.example:5000/team = dockert1-EXAMPLE',
      'docker https://<token>@id.example = dockert2-EXAMPLE',
      'npm https://registry.npmjs.org = npmt0-EXAMPLE',
      'npm https://ada@p.example/npm = npmt1-EXAMPLE',
      'npm https://bob@q.example = npmt2-EXAMPLE',
      'cargo https://index.crates.io = cargot0-EXAMPLE',
      'cargo sparse+https://lab.example/index = cargot1-EXAMPLE',
      'pypi https://__token__@upload.pypi.org = pypit0-EXAMPLE',
      'pypi https://ada@pip.example = pypit1-EXAMPLE',
      'gh https://ada@github.com = ght0-EXAMPLE',
      'gh https://bob@github.com = ght1-EXAMPLE',
      'kubectl https://k.example:6443 = kubectlt0-EXAMPLE',
      'aws https://AKIDEXAMPLE@sts.amazonaws.com = awst0-EXAMPLE',
      'aws https://AKIDWORKEXAMPLE@sts.amazonaws.com/work = awst1-EXAMPLE',
      'terraform https://app.terraform.io = terraformt0-EXAMPLE',
    ]);
    expect(passed).toEqual([
      'netrc the default entry is for every host, and a token is for one',
      'cargo no config.toml says which index its registry has',
      'kubectl no context says which cluster its user is for',
      'aws it is temporary: it has a session token',
    ]);
    expect(files.map(({ name }) => name)).toEqual(sources.map(({ name }) => name));
  });

  it.each<[string, string, Record<string, string>, string[]]>([
    [
      'git: the first line of a host',
      'git',
      { '.git-credentials': 'https://ada:g0-EXAMPLE@h.example\nhttps://bob:g1-EXAMPLE@h.example\n' },
      ['ada g0-EXAMPLE', 'bob g1-EXAMPLE'],
    ],
    [
      'gh: the active account',
      'gh',
      {
        '.config/gh/hosts.yml':
          'h.example:\n  users:\n    ada:\n      oauth_token: h0-EXAMPLE\n    bob:\n      oauth_token: h1-EXAMPLE\n  oauth_token: h1-EXAMPLE\n  user: bob\n',
      },
      ['bob h1-EXAMPLE', 'ada h0-EXAMPLE'],
    ],
    [
      'kubectl: the user of the current context',
      'kubectl',
      {
        '.kube/config': [
          'current-context: second',
          'clusters: [{ name: one, cluster: { server: "https://k.example" } }]',
          'contexts:',
          '- { name: first, context: { cluster: one, user: ada } }',
          '- { name: second, context: { cluster: one, user: bob } }',
          'users:',
          '- { name: ada, user: { token: k0-EXAMPLE } }',
          '- { name: bob, user: { token: k1-EXAMPLE } }',
        ].join('\n'),
      },
      [' k1-EXAMPLE', ' k0-EXAMPLE'],
    ],
    [
      'npm: the last line of a key, and a token before a password',
      'npm',
      {
        '.npmrc': `//h.example/:_auth=${Buffer.from('ada:n0-EXAMPLE').toString('base64')}\n//h.example/:_authToken=n1-EXAMPLE\n//h.example/:_authToken=n2-EXAMPLE\n`,
      },
      [' n2-EXAMPLE', ' n1-EXAMPLE', 'ada n0-EXAMPLE'],
    ],
    [
      'twine: the section pypi',
      'pypi',
      {
        '.pypirc':
          '[work]\nrepository = https://upload.pypi.org/legacy/\npassword = p0-EXAMPLE\n[pypi]\npassword = p1-EXAMPLE\n',
      },
      ['__token__ p1-EXAMPLE', '__token__ p0-EXAMPLE'],
    ],
    [
      'cargo: the file without the ending',
      'cargo',
      {
        '.cargo/credentials.toml': '[registry]\ntoken = "c0-EXAMPLE"\n',
        '.cargo/credentials': '[registry]\ntoken = "c1-EXAMPLE"\n',
      },
      [' c1-EXAMPLE', ' c0-EXAMPLE'],
    ],
  ])('come in the order in which their own program chooses. %s', async (_, name, texts, expected) => {
    const home = aHome();
    for (const [path, text] of Object.entries(texts)) {
      mkdirSync(join(home, dirname(path)), { recursive: true });
      writeFileSync(join(home, path), text);
    }
    const searched = await searchPlaintext({ home, environment: {} }, [name]);
    const entries = searched.flatMap((one) => (one.status === 'ok' ? one.entries : []));
    expect(entries.map(({ target, secret }) => `${target.username ?? ''} ${textOf(secret)}`)).toEqual(expected);
  });

  it('are found where variables lead', async () => {
    const home = aHome();
    const elsewhere = aHome();
    writeFiles(elsewhere);
    const environment = {
      NETRC: join(elsewhere, '.netrc'),
      DOCKER_CONFIG: join(elsewhere, '.docker'),
      NPM_CONFIG_USERCONFIG: join(elsewhere, '.npmrc'),
      CARGO_HOME: join(elsewhere, '.cargo'),
      GH_CONFIG_DIR: join(elsewhere, '.config/gh'),
      KUBECONFIG: `${elsewhere}/.kube/config:${elsewhere}/none`,
      AWS_SHARED_CREDENTIALS_FILE: join(elsewhere, '.aws/credentials'),
    };
    const { searched } = await found(home, environment);
    expect(searched.map(({ source }) => source.name)).toEqual([
      'netrc',
      'docker',
      'npm',
      'cargo',
      'gh',
      'kubectl',
      'aws',
    ]);
    expect((await found(home, { NETRC: '.netrc' })).searched).toEqual([]);
  });

  it('are of one source where it is named', async () => {
    const home = aHome();
    writeFiles(home);
    expect((await found(home, {}, ['aws'])).searched.map(({ source }) => source.name)).toEqual(['aws']);
  });

  it.each([
    ['git', '.git-credentials', 'https://git.example\nnot a URL\nhttps://u:%00x-EXAMPLE@h\nhttps://u:x-EXAMPLE@/p\n'],
    ['docker', '.docker/config.json', '{"auths":{"a":{"auth":"%%%"},"b c":{"auth":"dTpw"},"d":{"auth":5}}}'],
    ['npm', '.npmrc', '//h/:_auth=%%%\n//h/:_authToken=\n'],
    [
      'terraform',
      '.terraform.d/credentials.tfrc.json',
      '{"credentials":{"a b":{"token":"x-EXAMPLE"},"c":{"token":""}}}',
    ],
  ])('are passed with a reason where no tool could use them: %s', async (name, path, text) => {
    const home = aHome();
    writeFiles(home);
    writeFileSync(join(home, path), text);
    const { entries, passed } = await found(home, {}, [name]);
    expect(entries).toEqual([]);
    expect(passed.length).toBeGreaterThan(1);
    expect(passed.join()).not.toContain('EXAMPLE');
  });

  it.each(files)('of $name go out of the file alone, all of them or any one', async ({ name, path, text }) => {
    const home = aHome();
    writeFiles(home);
    const { searched } = await found(home, {}, [name]);
    const one = searched[0]!;
    if (one.status !== 'ok') throw new Error(one.why);
    const before = text((at) => `${name}t${at}-EXAMPLE`);
    const comments = before.split('\n').filter((line) => /^[#;]/.test(line));
    for (const { removes } of one.entries) {
      const removed = await removeLeaves(one.source.format, one.bytes, removes);
      if (removed.status !== 'ok') throw new Error(removed.why);
      const after = removed.bytes.toString();
      expect(isLess(after, before), `${path}: ${after}`).toBe(true);
      expect(comments.every((comment) => after.includes(comment))).toBe(true);
    }
    let rest: Buffer = one.bytes;
    for (const { removes } of [...one.entries].reverse()) {
      const removed = await removeLeaves(one.source.format, rest, removes);
      if (removed.status !== 'ok') throw new Error(removed.why);
      rest = removed.bytes;
    }
    expect(rest.toString()).not.toContain(`${name}t`);
    writeFileSync(join(home, path), rest);
    expect((await found(home, {}, [name])).entries).toEqual([]);
  });
});

describe("the files of services' own programs", () => {
  const manifests = readCatalogue('/nonexistent').manifests;
  const foundIn = async (path: string, text: string, ...names: string[]) => {
    const home = aHome();
    mkdirSync(join(home, dirname(path)), { recursive: true });
    writeFileSync(join(home, path), text);
    const searched = await searchPlaintext({ home, environment: {} }, names, [
      ...sources,
      ...serviceSources(manifests),
    ]);
    return searched.flatMap((one) =>
      one.status === 'ok'
        ? [
            ...one.entries.map(
              ({ target: { protocol, host, username = '' }, secret, expiresAt = '' }) =>
                `${one.source.name} ${protocol}://${username}@${host} = ${textOf(secret)} ${expiresAt}`,
            ),
            ...one.passed.map(({ why }) => `${one.source.name} ${why}`),
          ]
        : [`${one.source.name} ${one.why}`],
    );
  };

  it.each([
    [
      'K2',
      '.apkg/credentials.json',
      '{"accessToken":"a-EXAMPLE","username":"ada"}',
      ['apkg https://ada@api.apkg.ai = a-EXAMPLE '],
    ],
    [
      'K19: the session goes with the registry that its file names',
      '.apkg/credentials.json',
      '{"registry":"https://registry.internal.example","accessToken":"a-EXAMPLE","refreshToken":"r-EXAMPLE","username":"ada"}',
      ['apkg https://ada@registry.internal.example = a-EXAMPLE '],
    ],
    [
      'S8',
      '.podstack/config.yaml',
      'auth:\n  token: p-EXAMPLE\n  expires: 2030-01-01T00:00:00Z\nprofiles:\n  work:\n    token: w-EXAMPLE\n',
      [
        'podstack https://@api.podstack.ai = p-EXAMPLE 1893456000',
        'podstack https://work@api.podstack.ai = w-EXAMPLE ',
      ],
    ],
    [
      "a server of one's own",
      '.config/glab-cli/config.yml',
      'hosts:\n  git.work.example:\n    token: g-EXAMPLE\n',
      ['gitlab https://@git.work.example = g-EXAMPLE '],
    ],
    [
      'G20',
      '.config/pangolin/cli/config.json',
      '{"auth_token":"x-EXAMPLE"}',
      ['pangolin it does not say which server of Pangolin it is for'],
    ],
    [
      'a token goes with the server that stands beside it, the default profile first',
      '.podstack/config.yaml',
      'profiles:\n  work:\n    token: w-EXAMPLE\n    api_endpoint: https://api.work.podstack.ai\n  default:\n    token: d-EXAMPLE\n',
      [
        'podstack https://default@api.podstack.ai = d-EXAMPLE ',
        'podstack https://work@api.work.podstack.ai = w-EXAMPLE ',
      ],
    ],
    [
      'a token with a foreign server is not kept for the own one',
      '.podstack/config.yaml',
      'profiles:\n  work:\n    token: w-EXAMPLE\n    api_endpoint: https://podstack.evil.example\n',
      ['podstack the server that its file names is none of Podstack'],
    ],
    [
      "a server of one's own, with its port",
      '.config/pangolin/cli/config-work.json',
      '{"base_url":"http://127.0.0.1:8080","auth_token":"x-EXAMPLE","username":"ada"}',
      ['pangolin http://ada@127.0.0.1:8080 = x-EXAMPLE '],
    ],
  ])('%s: %s', async (_, path, text, expected) => {
    expect(await foundIn(path, text)).toEqual(expected);
  });

  it('are left to the source of the tool, where that knows them better', async () => {
    const auth = Buffer.from('ada:d-EXAMPLE').toString('base64');
    const text = JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth } } });
    expect(await foundIn('.docker/config.json', text)).toEqual(['docker https://ada@index.docker.io = d-EXAMPLE ']);
    expect(await foundIn('.docker/config.json', text, 'docker-hub')).toEqual([]);
  });
});
