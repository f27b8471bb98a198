/** A file of the tool as a person may have it, and how it is set up beside that. */
export type Example = {
  /** Its path in the home; absent: the tool has no file of its own. */
  readonly path?: string;
  readonly text?: string;
  readonly options?: Readonly<Record<string, string>>;
};

/** A kubeconfig with contexts that share a user, in both of YAML's styles. */
export const KUBECONFIG = `# mine
apiVersion: v1
clusters:
- cluster: {server: "https://k8s.example:6443"}
  name: lab
contexts:
- context:
    cluster: lab
    user: ada # who else
  name: dev
- context: {cluster: lab, user: "ada"}
  name: 'my "dev"'
- context: {cluster: gone}
  name: lost
users:
- name: ada
  user:
    token: plain-EXAMPLE
`;

/** At least one of every tool in client/setup/index.ts, by its name. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  docker: [
    {
      path: '.docker/config.json',
      text: '{ "auths":{"h":{"auth":"plain-EXAMPLE"}},\r\n"x" : [1, {"y":"\\u00e4"}]}',
    },
    { path: '.docker/config.json', text: '{}', options: { registry: 'r.example:5000' } },
  ],
  podman: [
    {
      path: '.config/containers/registries.conf.d/50-keyhold.conf',
      text: '# mine\nshort-name-mode = "enforcing"',
    },
  ],
  cargo: [{ path: '.cargo/config.toml', text: '[registries.lab]\nindex = "sparse+https://h/"' }],
  kubectl: [
    { path: '.kube/config', text: KUBECONFIG, options: { context: 'dev' } },
    { path: '.kube/config', text: KUBECONFIG.replaceAll('\n', '\r\n'), options: { context: 'my "dev"' } },
  ],
  aws: [
    {
      path: '.aws/config',
      text: '; mine\n[profile lab]\noutput = json\n[default]\nregion=eu-central-1',
      options: { 'aws-profile': 'lab' },
    },
    { path: '.aws/config', text: '[default]\ns3 =\n  credential_process = no\n' },
  ],
  terraform: [{ path: '.terraformrc', text: '# mine\nplugin_cache_dir = "/tmp/x"' }],
  pnpm: [
    {
      path: '.npmrc',
      text: '; mine\n//other.example/:_authToken=other-EXAMPLE',
      options: { for: 'https://npm.example/' },
    },
  ],
  pip: [
    {
      path: '.config/pip/pip.conf',
      text: '[global]\nindex-url = https://ada@h/simple/\n[install]\nx=1\n',
    },
  ],
  uv: [{ path: '.config/uv/uv.toml', text: '# mine\n' }],
  twine: [{ path: '.config/python_keyring/keyringrc.cfg', text: '[other]\nx=y' }],
  go: [{ path: '.config/go/env', text: 'GOPRIVATE=h\n' }],
  bazel: [{ path: '.bazelrc', text: 'build --jobs=2' }],
  askpass: [{}],
};
