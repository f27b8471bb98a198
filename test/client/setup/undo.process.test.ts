import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Edit } from '../../../client/formats/edit.ts';
import { makeAll, withdrawAll } from '../../../client/formats/edits.ts';
import { setupTools } from '../../../client/setup/index.ts';
import { aHomeToWire, type Wiring } from './wiring.ts';

/** How a person, or the tool itself, changes the file that setup made or changed. */
type Change = (text: string) => string;
type Case = {
  readonly file: string;
  /** What stands in the file before the first setup; without it there is no file. */
  readonly before?: string;
  /** Options of the first setup and of the second. */
  readonly first?: Readonly<Record<string, string>>;
  readonly second?: Readonly<Record<string, string>>;
  /** Adds something of the person's. */
  readonly change: Change;
  /** What must be left of the file at the end, up to white space. */
  readonly left: string;
};

const adds = (text: string): Pick<Case, 'change' | 'left'> => ({ change: (there) => `${there}${text}`, left: text });

/** As docker and npm's kin do: the whole object, in another manner. */
const rewrites = (more: object): Pick<Case, 'change' | 'left'> => ({
  change: (there) => JSON.stringify({ ...JSON.parse(there), ...more }),
  left: JSON.stringify(more),
});

const KUBE = 'clusters:\n- {name: lab, cluster: {server: "https://k8s.example"}}\ncontexts:\n';
const DEV = '- name: dev\n  context: {cluster: lab, user: ada}\n';
const LAB = '- name: lab\n  context: {cluster: lab, user: bob}\n';

/** Every tool that writes a file. One that is added without its line here fails the last test. */
const cases: Readonly<Record<string, Case>> = {
  docker: {
    file: '.docker/config.json',
    second: { registry: 'ghcr.io' },
    ...rewrites({ auths: { 'r.example': { auth: 'YWRhOngtRVhBTVBMRQ==' } } }),
  },
  podman: {
    file: '.config/containers/registries.conf.d/50-keyhold.conf',
    ...adds('short-name-mode = "enforcing"\n'),
  },
  cargo: { file: '.cargo/config.toml', second: { registry: 'lab' }, ...adds('[net]\nretry = 2\n') },
  kubectl: {
    file: '.kube/config',
    before: `${KUBE}${DEV}${LAB}users: []\n`,
    first: { context: 'dev' },
    second: { context: 'lab' },
    change: (there) => there.replace('clusters:\n', 'current-context: dev\nclusters:\n'),
    left: `current-context: dev\n${KUBE}${DEV}${LAB}users: []\n`,
  },
  aws: {
    file: '.aws/config',
    second: { 'aws-profile': 'work' },
    ...adds('[profile mine]\nregion = eu-central-1\n'),
  },
  terraform: { file: '.terraformrc', ...adds('plugin_cache_dir = "/x"\n') },
  pnpm: {
    file: '.npmrc',
    first: { for: 'https://one.example' },
    second: { for: 'https://two.example' },
    ...adds('//mine.example/:_authToken=mine-EXAMPLE\n'),
  },
  pip: { file: '.config/pip/pip.conf', ...adds('[install]\nno-compile = yes\n') },
  uv: { file: '.config/uv/uv.toml', ...adds('[pip]\nstrict = true\n') },
  twine: { file: '.config/python_keyring/keyringrc.cfg', ...adds('[other]\nx = y\n') },
  go: { file: '.config/go/env', ...adds('GOPRIVATE=git.example\n') },
  bazel: { file: '.bazelrc', second: { for: 'cache.example' }, ...adds('build --jobs=2\n') },
};

const bare = (text: string) => text.replaceAll(/\s+/g, '');

describe('setup --undo', () => {
  let wiring: Wiring;
  /** pnpm takes no path with a blank. */
  beforeEach(() => {
    wiring = aHomeToWire('/opt/keyhold/bin');
  });
  afterEach(() => wiring.remove());

  describe.each(Object.entries(cases))('of %s', (name, { file, before, first, second, change, left }) => {
    const setUp = async () => {
      if (before !== undefined) wiring.write(file, before);
      await wiring.wire(name, first);
    };

    it('keeps what a person wrote into the file, also after a second setup', async () => {
      await setUp();
      wiring.write(file, change(wiring.read(file)));
      await wiring.wire(name, second ?? first);
      await wiring.unwire(name);
      expect(bare(wiring.read(file))).toBe(bare(left));
    });

    it('keeps it also where the person wrote behind the second setup, and where there was none', async () => {
      for (const more of [[second ?? first], []]) {
        await setUp();
        for (const options of more) await wiring.wire(name, options);
        wiring.write(file, change(wiring.read(file)));
        await wiring.unwire(name);
        expect(bare(wiring.read(file))).toBe(bare(left));
        wiring.write(file, '');
      }
    });

    it('removes a file that it made and nothing else was written into, also after a second setup', async () => {
      const tree = wiring.tree();
      await setUp();
      await wiring.wire(name, second ?? first);
      await wiring.unwire(name);
      if (before === undefined) expect(wiring.tree()).toEqual(tree);
      else expect(wiring.read(file)).toBe(before);
    });
  });

  it('is shown here for every tool that writes a file', async () => {
    const writing: string[] = [];
    for (const { name } of setupTools) {
      const { file, before, first } = cases[name] ?? { file: '' };
      if (before !== undefined) wiring.write(file, before);
      if ((await wiring.wire(name, first)).files.length > 0) writing.push(name);
    }
    expect(writing).toEqual(setupTools.map(({ name }) => name).filter((name) => name in cases));
  });

  it('judges by content: what a formatter, an editor or the tool has written anew is ours still', async () => {
    const rewritten: readonly (readonly [string, string | undefined, Change, string])[] = [
      ['docker', undefined, (text) => JSON.stringify(JSON.parse(text), null, 4), ''],
      ['docker', undefined, () => '{\n\t"credsStore":"keyhold"}', ''],
      ['cargo', undefined, (text) => text.replaceAll('["', '[ "').replaceAll('"]', '" ] # ours'), ''],
      ['terraform', undefined, (text) => text.replaceAll('\n', '\r\n'), ''],
      ['bazel', undefined, (text) => text.trimEnd(), ''],
      ['aws', undefined, (text) => text.replace(' = ', '='), ''],
      ['aws', '[default]\nregion=x\n', (text) => text.replace(' = ', ' =  '), '[default]\nregion=x\n'],
    ];
    for (const [name, before, change, left] of rewritten) {
      const { file } = cases[name]!;
      if (before !== undefined) wiring.write(file, before);
      const tree = wiring.tree();
      await wiring.wire(name);
      wiring.write(file, change(wiring.read(file)));
      await wiring.unwire(name);
      if (before === undefined) expect([name, wiring.tree()]).toEqual([name, tree]);
      else expect([name, wiring.read(file)]).toEqual([name, left]);
      wiring.remove();
      wiring = aHomeToWire('/opt/keyhold/bin');
    }
  });
});

describe('a value in YAML', () => {
  const value = { name: 'keyhold-dev', user: { exec: { command: '/opt/ö', args: ['kubectl', 'get'] } } };
  const user: Edit = { kind: 'yaml', path: ['users', 'name=keyhold-dev'], value };
  const context: Edit = {
    kind: 'yaml',
    path: ['contexts', 'name=dev', 'context', 'user'],
    value: 'keyhold-dev',
    replaces: true,
  };
  const BEFORE = 'contexts:\n- context:\n    user: ada\n  name: dev\nusers:\n- name: ada\n';
  const wire = (text: string) => Buffer.from(text).toString('latin1');
  const human = (text: string) => Buffer.from(text, 'latin1').toString();
  const withdrawn = async (change: Change) => {
    const { text, made } = await makeAll(BEFORE, [user, context]);
    return parse(human(await withdrawAll(wire(change(human(text))), made)));
  };
  /** As kubectl writes: sorted members, empty ones for what is not set. */
  const asKubectl = (exec = '') =>
    `contexts:\n- context:\n    user: keyhold-dev\n  name: dev\nusers:\n- name: ada\n- name: keyhold-dev\n  user:\n    exec:\n      args:\n      - kubectl\n      - get\n      command: /opt/ö\n      env: null\n      provideClusterInfo: false\n${exec}`;

  it('is ours in another order and with empty members', async () => {
    expect(await withdrawn(() => asKubectl())).toEqual(parse(BEFORE));
  });

  it('is ours alone in its list, in a list between brackets, and in JSON', async () => {
    const alone = (text: string) => text.replace('- name: ada\n', '');
    expect(await withdrawn(() => alone(asKubectl()))).toEqual({
      ...parse(BEFORE),
      users: [],
    });
    for (const indent of [0, 2]) {
      expect(await withdrawn(() => JSON.stringify(parse(asKubectl()), null, indent))).toEqual(parse(BEFORE));
      expect(await withdrawn(() => JSON.stringify(parse(alone(asKubectl())), null, indent))).toEqual({
        ...parse(BEFORE),
        users: [],
      });
    }
  });

  it('is given back in a member that has another name now, and in a copy', async () => {
    const renamed = await withdrawn((text) => text.replace('name: dev\n', 'name: lab\n'));
    expect(renamed.contexts).toEqual([{ name: 'lab', context: { user: 'ada' } }]);
    const copied = await withdrawn((text) =>
      text.replace('users:', '- context:\n    user: keyhold-dev\n  name: copy\nusers:'),
    );
    expect(copied.contexts.map((one: { context: object }) => one.context)).toEqual([{ user: 'ada' }, { user: 'ada' }]);
  });

  it('is the person’s where they wrote something into it', async () => {
    const { contexts, users } = await withdrawn(() => asKubectl('      installHint: mine\n'));
    expect(contexts[0].context.user).toBe('ada');
    expect(users.map(({ name }: { name: string }) => name)).toEqual(['ada', 'keyhold-dev']);
  });
});
