import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../client/formats/edit.ts';
import { isSamePlace, makeAll, unmake, withdrawAll } from '../../../client/formats/edits.ts';

const store: Edit = { kind: 'json', path: ['credsStore'], value: 'keyhold' };
const helper: Edit = { kind: 'json', path: ['credHelpers', '127.0.0.1:5000'], value: 'keyhold' };
const process: Edit = {
  kind: 'line',
  section: '[profile work]',
  key: 'credential_process',
  value: '/bin/aws-credential-keyhold x',
  joint: ' = ',
};
const token: Edit = {
  kind: 'line',
  key: '//npm.example/:tokenHelper',
  value: '/bin/keyhold-npm@npm.example',
  joint: '=',
};
const plugin: Edit = {
  kind: 'block',
  text: 'credentials_helper "keyhold" {\n  args = []\n}\n',
  unless: '^\\s*credentials_helper\\b.*$',
};
const user: Edit = {
  kind: 'yaml',
  path: ['users', 'name=keyhold-dev'],
  value: { name: 'keyhold-dev', user: { exec: { command: 'x', args: ['https://h'] } } },
};
const context: Edit = {
  kind: 'yaml',
  path: ['contexts', 'name=dev', 'context', 'user'],
  value: 'keyhold-dev',
  replaces: true,
};
const KUBECONFIG = `# mine
apiVersion: v1
clusters: []
contexts:
- context:
    cluster: dev # here
    user: ada
  name: dev
users:
- name: ada
  user:
    token: plain-EXAMPLE
kind: Config
`;

const made = async (text: string, ...edits: Edit[]) => (await makeAll(text, edits)).text;

describe('a JSON member', () => {
  it('is put in as the others are written', async () => {
    expect(await made('', store)).toBe('{\n\t"credsStore": "keyhold"\n}\n');
    expect(await made('{}', store)).toBe('{\n\t"credsStore": "keyhold"\n}');
    expect(await made('{"auths":{}}', store)).toBe('{"credsStore": "keyhold", "auths":{}}');
    expect(await made('{\n  "auths": {}\n}\n', helper)).toBe(
      '{\n  "credHelpers": {\n    "127.0.0.1:5000": "keyhold"\n  },\n  "auths": {}\n}\n',
    );
    expect(await made('{\n  "credHelpers": {\n    "a": "b"\n  }\n}\n', helper)).toBe(
      '{\n  "credHelpers": {\n    "127.0.0.1:5000": "keyhold",\n    "a": "b"\n  }\n}\n',
    );
  });

  it('is never put in the place of another', async () => {
    await expect(made('{"credsStore":"pass"}', store)).rejects.toThrow('it has "credsStore" already');
    await expect(made('{"credHelpers":"x"}', helper)).rejects.toThrow('no object');
    await expect(made('[]', store)).rejects.toThrow('not a JSON object');
    await expect(made('{"a":1', store)).rejects.toThrow('not a JSON object');
  });

  it('is taken out again after others changed the file, with the object that came with it', async () => {
    const { text, made: done } = await makeAll('{"HttpHeaders":{"a":"b"}}', [store, helper]);
    const rewritten = JSON.stringify({ ...JSON.parse(text), auths: { h: {} } }, null, '\t');
    expect(JSON.parse(await withdrawAll(rewritten, done))).toEqual({ HttpHeaders: { a: 'b' }, auths: { h: {} } });
    const replaced = JSON.stringify({ credsStore: 'pass', credHelpers: { other: 'x', '127.0.0.1:5000': 'keyhold' } });
    expect(JSON.parse(await withdrawAll(replaced, done))).toEqual({ credsStore: 'pass', credHelpers: { other: 'x' } });
  });

  it('leaves every JSON object as it was, once taken back, and readable in between', async () => {
    const spaces = fc.constantFrom(undefined, 2, 4, '\t');
    const key = fc.constantFrom('a', 'credHelpers', 'ü"\\', '__proto__', '127.0.0.1:5000');
    const inner = fc.dictionary(key, fc.oneof(fc.string(), fc.double({ noNaN: true }), fc.constant([{ x: '{,}' }])));
    const outer = fc.dictionary(key, fc.oneof(inner, fc.constant(null)));
    await fc.assert(
      fc.asyncProperty(outer, spaces, async (object, indent) => {
        const text = Buffer.from(JSON.stringify(object, null, indent)).toString('latin1');
        const result = await makeAll(text, [store, helper]).catch(() => undefined);
        fc.pre(result !== undefined);
        const parsed = JSON.parse(Buffer.from(result!.text, 'latin1').toString());
        expect(parsed.credsStore).toBe('keyhold');
        expect(parsed.credHelpers['127.0.0.1:5000']).toBe('keyhold');
        expect(unmake(result!.text, result!.made)).toBe(text);
      }),
    );
  });
});

describe('a line', () => {
  it('stands right behind the head of its section, or in a section of its own at the end', async () => {
    expect(await made('', process)).toBe('[profile work]\ncredential_process = /bin/aws-credential-keyhold x\n');
    expect(await made('[default]\nregion = x', process)).toBe(
      '[default]\nregion = x\n\n[profile work]\ncredential_process = /bin/aws-credential-keyhold x\n',
    );
    expect(await made('[ profile  work ] # mine\nregion = x\n[next]\n', process)).toBe(
      '[ profile  work ] # mine\ncredential_process = /bin/aws-credential-keyhold x\nregion = x\n[next]\n',
    );
  });

  it('stands before every section where it has none', async () => {
    expect(await made('registry=x', token)).toBe(
      'registry=x\n//npm.example/:tokenHelper=/bin/keyhold-npm@npm.example\n',
    );
    expect(await made('a=b\n[s]\nc=d\n', token)).toBe(
      'a=b\n//npm.example/:tokenHelper=/bin/keyhold-npm@npm.example\n[s]\nc=d\n',
    );
  });

  it('is never put in the place of another', async () => {
    await expect(made('[profile work]\ncredential_process=other\n', process)).rejects.toThrow(
      'it has a line for credential_process already',
    );
    expect(await made('[default]\ncredential_process = other\n', process)).toContain('other');
    expect(
      (await makeAll('[profile work]\ncredential_process=/bin/aws-credential-keyhold x\n', [process])).made,
    ).toEqual([{ edit: process, splice: undefined }]);
  });

  it('is taken out again after others changed the file, and its section only if nothing else is in it', async () => {
    const { text, made: done } = await makeAll('[default]\n', [process]);
    expect(await withdrawAll(`${text}region = x\n`, done)).toBe('[default]\n\n[profile work]\nregion = x\n');
    expect(await withdrawAll(`# new\n${text}`, done)).toBe('# new\n[default]\n\n');
    expect(await withdrawAll('[profile work]\ncredential_process = other\n', done)).toBe(
      '[profile work]\ncredential_process = other\n',
    );
  });
});

describe('a block', () => {
  it('stands at the end, once, and not beside another of its kind', async () => {
    const text = await made('plugin_cache_dir = "x"', plugin);
    expect(text).toBe('plugin_cache_dir = "x"\ncredentials_helper "keyhold" {\n  args = []\n}\n');
    expect(await made(text, plugin)).toBe(text);
    await expect(made('credentials_helper "other" {\n}\n', plugin)).rejects.toThrow('credentials_helper "other" {');
  });
});

describe('a YAML value', () => {
  it('goes into a list, and in the place of a text, without touching anything else', async () => {
    const { text, made: done } = await makeAll(KUBECONFIG, [user, context]);
    expect(text).toContain('cluster: dev # here\n    user: "keyhold-dev"\n');
    expect(text).toContain('users:\n- name: keyhold-dev\n  user:\n    exec:\n      command: x\n');
    expect(unmake(text, done)).toBe(KUBECONFIG);
    expect((await makeAll(text, [user, context])).made.map(({ splice }) => splice)).toEqual([undefined, undefined]);
  });

  it('is taken out again after others changed the file', async () => {
    const { text, made: done } = await makeAll(KUBECONFIG, [user, context]);
    const changed = text.replace('kind: Config', 'current-context: dev\nkind: Config');
    expect(await withdrawAll(changed, done)).toBe(
      KUBECONFIG.replace('kind: Config', 'current-context: dev\nkind: Config'),
    );
  });

  it('goes into a kubeconfig that is JSON', async () => {
    const text = JSON.stringify({ contexts: [{ name: 'dev', context: { user: 'ada' } }], users: [] });
    const { text: changed, made: done } = await makeAll(text, [user, context]);
    expect(JSON.parse(changed)).toMatchObject({
      contexts: [{ context: { user: 'keyhold-dev' } }],
      users: [user.value],
    });
    expect(unmake(changed, done)).toBe(text);
  });

  it('says what is missing, and what is in the way', async () => {
    await expect(made('users: []\n', context)).rejects.toThrow('it has no contexts › name=dev › context › user');
    await expect(made('users:\n- name: keyhold-dev\n', user)).rejects.toThrow('already');
    await expect(made('a: [', user)).rejects.toThrow('not YAML');
  });
});

describe('places', () => {
  it('are told apart by all but the value', () => {
    expect(isSamePlace(store, { ...store, value: 'x' } as Edit)).toBe(true);
    expect(isSamePlace(store, helper)).toBe(false);
    expect(isSamePlace(process, { ...process, section: '[default]' } as Edit)).toBe(false);
  });
});
