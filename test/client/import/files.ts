import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const basic = (text: string) => Buffer.from(text).toString('base64');

/** A value for each place of a file, by its number. */
export type Value = (at: number) => string;
export const example: Value = (at) => `t${at}-EXAMPLE`;

/** A file of every source, with comments and things that are no tokens: its path in the home, and how many tokens it has. */
export const files: readonly {
  readonly name: string;
  readonly path: string;
  readonly text: (value: Value) => string;
  readonly tokens: number;
}[] = [
  {
    name: 'git',
    path: '.git-credentials',
    tokens: 3,
    text: (value) =>
      `https://ada:${value(0)}@git.example\nhttps://b%40b:${value(1)}@git.example:8443/team%2Fx.git\nhttps://c:${value(2)}@c.example\n`,
  },
  {
    name: 'netrc',
    path: '.netrc',
    tokens: 2,
    text: (value) =>
      `# mine\nmachine n.example\n  login ada # who\n  password ${value(0)}\n\nmachine m.example login bob password ${value(1)}\ndefault login anonymous password me\n`,
  },
  {
    name: 'docker',
    path: '.docker/config.json',
    tokens: 3,
    text: (value) =>
      `{\n\t"auths": {\n\t\t"https://index.docker.io/v1/": {\n\t\t\t"auth": "${basic(`ada:${value(0)}`)}"\n\t\t},\n\t\t"r.example:5000/team": {\n\t\t\t"auth": "${basic(`bob:${value(1)}`)}"\n\t\t},\n\t\t"id.example": {\n\t\t\t"auth": "${basic('x:')}",\n\t\t\t"identitytoken": "${value(2)}"\n\t\t},\n\t\t"empty.example": {}\n\t},\n\t"psFormat": "x"\n}`,
  },
  {
    name: 'npm',
    path: '.npmrc',
    tokens: 3,
    text: (value) =>
      `; mine\nregistry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=${value(0)}\n//v.example/:_authToken=\${TOKEN}\n//p.example/npm/:_auth=${basic(`ada:${value(1)}`)}\n//q.example/:username=bob\n//q.example/:_password=${basic(value(2))}\n`,
  },
  {
    name: 'cargo',
    path: '.cargo/credentials.toml',
    tokens: 2,
    text: (value) =>
      `[registry]\ntoken = "${value(0)}" # main\n\n[registries.lab]\ntoken = "${value(1)}"\n[registries.unknown]\ntoken = "u-EXAMPLE"\n`,
  },
  {
    name: 'pypi',
    path: '.pypirc',
    tokens: 2,
    text: (value) =>
      `[distutils]\nindex-servers =\n    pypi\n    lab\n\n[pypi]\nusername = __token__\npassword = ${value(0)}\n\n[lab]\nrepository: https://pip.example/legacy/\nusername: ada\npassword: ${value(1)}\n`,
  },
  {
    name: 'gh',
    path: '.config/gh/hosts.yml',
    tokens: 2,
    text: (value) =>
      `github.com:\n    users:\n        ada:\n            oauth_token: ${value(0)}\n        bob:\n            oauth_token: ${value(1)}\n    git_protocol: https\n    oauth_token: ${value(0)}\n    user: ada\n`,
  },
  {
    name: 'kubectl',
    path: '.kube/config',
    tokens: 1,
    text: (value) =>
      `apiVersion: v1\nclusters:\n- cluster:\n    server: https://k.example:6443\n  name: one\ncontexts:\n- context:\n    cluster: one\n    user: ada\n  name: c\nusers:\n- name: ada\n  user:\n    token: ${value(0)}\n- name: lost\n  user:\n    token: u-EXAMPLE\n`,
  },
  {
    name: 'aws',
    path: '.aws/credentials',
    tokens: 2,
    text: (value) =>
      `[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = ${value(0)}\nregion = x\n\n[short]\naws_access_key_id = ASIDEXAMPLE\naws_secret_access_key = s-EXAMPLE\naws_session_token = st-EXAMPLE\n[work]\naws_secret_access_key = ${value(1)}\naws_access_key_id = AKIDWORKEXAMPLE\n`,
  },
  {
    name: 'terraform',
    path: '.terraform.d/credentials.tfrc.json',
    tokens: 1,
    text: (value) => `{\n  "credentials": {\n    "app.terraform.io": {\n      "token": "${value(0)}"\n    }\n  }\n}\n`,
  },
];

/** What some of these files name and do not say themselves. */
const besides: Readonly<Record<string, string>> = {
  '.cargo/config.toml': '[registries]\nlab = { index = "sparse+https://lab.example/index/" }\n',
};

/** Writes them all into a home; the values of each file are `value(name, at)`. */
export function writeFiles(
  home: string,
  value: (name: string, at: number) => string = (name, at) => `${name}${example(at)}`,
): void {
  const write = (path: string, text: string) => {
    mkdirSync(join(home, dirname(path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(home, path), text, { mode: 0o600 });
  };
  for (const { name, path, text } of files)
    write(
      path,
      text((at) => value(name, at)),
    );
  for (const [path, text] of Object.entries(besides)) write(path, text);
}
