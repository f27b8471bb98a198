import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Format, pick, readLeaves } from '../../../client/formats/read.ts';
import { removeLeaves } from '../../../client/formats/remove.ts';

const valuesOf = async (format: Format, text: string) => {
  const read = await readLeaves(format, Buffer.from(text));
  return read.status === 'ok' ? read.leaves.map(({ path, value }) => [path.join('/'), value]) : read.why;
};
/** The text without the values at these paths. */
const without = async (format: Format, text: string, ...paths: string[]) => {
  const removed = await removeLeaves(
    format,
    Buffer.from(text),
    paths.map((path) => path.split('/')),
  );
  return removed.status === 'ok' ? removed.bytes.toString() : removed.why;
};

describe('a JSON file', () => {
  const text =
    '{\n\t"auths": {\n\t\t"a": { "auth": "one-EXAMPLE" },\n\t\t"b": {\n\t\t\t"auth": "t\\u0077o\\/x",\n\t\t\t"n": 1\n\t\t}\n\t}, "z": null\n}\n';

  it('gives its values by the names that lead to them', async () => {
    expect(await valuesOf('json', text)).toEqual([
      ['auths/a/auth', 'one-EXAMPLE'],
      ['auths/b/auth', 'two/x'],
      ['auths/b/n', '1'],
    ]);
    expect(await valuesOf('json', '"\\ud83d\\ude00ü"')).toEqual([['', Buffer.from('😀ü').toString('latin1')]]);
  });

  it('loses one member, with its comma, and nothing else', async () => {
    expect(await without('json', text, 'auths/b/auth')).toBe(text.replace('"auth": "t\\u0077o\\/x",\n\t\t\t', ''));
    expect(await without('json', text, 'auths/b/n')).toBe(text.replace(',\n\t\t\t"n": 1', ''));
    expect(await without('json', text, 'auths/a/auth')).toBe(text.replace(' "auth": "one-EXAMPLE" ', ''));
    expect(await without('json', text, 'auths/b/n', 'auths/b/auth')).toContain('"b": {}');
  });

  it.each([
    ['', 'line 1: a value is missing'],
    ['{"a":1,}', 'line 1: a name in quotes is missing'],
    ['{"a":"EXAMPLE"\n"b":1}', 'line 2: "," or "}" is missing'],
    ['{"a":1,"a":2}', 'line 1: a name stands there twice'],
    ['{"a":"EXAMPLE\n"}', 'line 1: a value is missing'],
    ['[1] x', 'line 1: something stands behind the end of the JSON'],
    ["{'a': 'EXAMPLE'}", 'line 1: a name in quotes is missing'],
  ])('%j is told by its line', async (broken, why) => {
    expect(await valuesOf('json', broken)).toBe(why);
    expect(await without('json', broken, 'a')).toBe(why);
  });

  it('is read as JSON.parse reads it, and loses any one of its values', async () => {
    const document = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== '__proto__' && !name.includes('/')),
      fc.oneof(fc.string(), fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.string())),
    );
    await fc.assert(
      fc.asyncProperty(document, fc.constantFrom(undefined, 2, '\t'), fc.nat(), async (value, indent, which) => {
        const json = JSON.stringify(value, undefined, indent);
        const read = await readLeaves('json', Buffer.from(json));
        if (read.status !== 'ok') throw new Error(read.why);
        const utf8 = (text: string) => Buffer.from(text, 'latin1').toString();
        const expected = Object.entries(value).flatMap(([name, one]) =>
          typeof one === 'string'
            ? [[[name], one.toWellFormed()]]
            : Object.entries(one).map(([inner, two]) => [[name, inner], two.toWellFormed()]),
        );
        expect(read.leaves.map(({ path, value: one }) => [path.map(utf8), utf8(one)])).toEqual(expected);
        if (expected.length === 0) return;
        const leaf = read.leaves[which % read.leaves.length]!;
        const removed = await removeLeaves('json', Buffer.from(json), [leaf.path]);
        if (removed.status !== 'ok') throw new Error(removed.why);
        const left: Record<string, unknown> = structuredClone(value);
        const [name = '', inner] = leaf.path.map(utf8);
        if (inner === undefined) delete left[name];
        else delete (left[name] as Record<string, unknown>)[inner];
        expect(JSON.parse(removed.bytes.toString())).toEqual(left);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a YAML file', () => {
  const text =
    '# hosts\ngithub.com:\n    user: ada # me\n    oauth_token: gho_EXAMPLE # mine\n    users:\n        ada:\n            oauth_token: "gho_EXAMPLE"\nother: { token: x-EXAMPLE, y: 1 }\nusers:\n- token: a-EXAMPLE\n  name: one\n- name: two\n  user:\n    token: b-EXAMPLE\nlong: |\n  c-EXAMPLE\nempty:\n';

  it('gives its values by the names that lead to them', async () => {
    expect(await valuesOf('yaml', text)).toEqual([
      ['github.com/user', 'ada'],
      ['github.com/oauth_token', 'gho_EXAMPLE'],
      ['github.com/users/ada/oauth_token', 'gho_EXAMPLE'],
      ['other/token', 'x-EXAMPLE'],
      ['other/y', '1'],
      ['users/0/token', 'a-EXAMPLE'],
      ['users/0/name', 'one'],
      ['users/1/name', 'two'],
      ['users/1/user/token', 'b-EXAMPLE'],
      ['long', 'c-EXAMPLE\n'],
    ]);
  });

  it('loses one pair, in its lines or between its commas, and nothing else', async () => {
    expect(await without('yaml', text, 'github.com/oauth_token')).toBe(
      text.replace('    oauth_token: gho_EXAMPLE # mine\n', ''),
    );
    expect(await without('yaml', text, 'other/token')).toBe(text.replace('token: x-EXAMPLE, ', ''));
    expect(await without('yaml', text, 'other/y')).toBe(text.replace(', y: 1', ''));
    expect(await without('yaml', text, 'users/0/token')).toBe(text.replace('token: a-EXAMPLE\n  ', ''));
    expect(await without('yaml', text, 'users/1/user/token')).toBe(text.replace('    token: b-EXAMPLE\n', ''));
    expect(await without('yaml', text, 'long')).toBe(text.replace('long: |\n  c-EXAMPLE\n', ''));
  });

  it('keeps what cannot be taken out alone', async () => {
    expect(await without('yaml', 'a:\n- token: x-EXAMPLE\n', 'a/0/token')).toBe(
      'it is written in a way that cannot be taken out',
    );
    expect(await without('yaml', 'a: &x t-EXAMPLE\nb: *x\n', 'a')).toBe(
      'it is written in a way that cannot be taken out',
    );
  });

  it('is told by its line where it is none', async () => {
    expect(await valuesOf('yaml', 'a: 1\nb: [EXAMPLE\n')).toMatch(/^line \d: it is not YAML$/);
    expect(await valuesOf('yaml', 'a: EXAMPLE\na: EXAMPLE\n')).toMatch(/^line 2: it is not YAML$/);
  });

  it('loses any one of its values, however it is laid out', async () => {
    const name = fc.stringMatching(/^[a-z]{1,4}$/);
    const document = fc.dictionary(
      name,
      fc.dictionary(name, fc.stringMatching(/^[a-z~# :"'{]{0,8}$/), { minKeys: 1 }),
      {
        minKeys: 1,
      },
    );
    await fc.assert(
      fc.asyncProperty(document, fc.boolean(), fc.nat(), async (value, flow, which) => {
        const yaml = stringify(value, flow ? { collectionStyle: 'flow' } : {});
        const read = await readLeaves('yaml', Buffer.from(yaml));
        if (read.status !== 'ok') throw new Error(read.why);
        const leaf = read.leaves[which % read.leaves.length]!;
        const removed = await removeLeaves('yaml', Buffer.from(yaml), [leaf.path]);
        if (removed.status !== 'ok') throw new Error(removed.why);
        const left = await readLeaves('yaml', removed.bytes);
        expect(left.status === 'ok' && left.leaves.map(({ path }) => path)).toEqual(
          read.leaves.filter((one) => one !== leaf).map(({ path }) => path),
        );
      }),
      { numRuns: 100 },
    );
  });
});

describe('a TOML file', () => {
  const text =
    '# mine\n[registry]\ntoken = "cio-EXAMPLE" # main\n\n[registries."my-lab"]\ntoken = \'lab-EXAMPLE\'\nindex = "sparse+https://h/"\n[registries]\nx = { token = "x-EXAMPLE", secret = 1 }\nlist = [ # two\n  "a", \'b\',\n]\nlong = """\nc\\\n  d"""\nwhen = 2020-01-01 10:00:00Z\n[[t]]\nn = 1\n[[t]]\nn = true\n"a.b".c = 1.5e3\n';

  it('gives its values by the names that lead to them', async () => {
    expect(await valuesOf('toml', text)).toEqual([
      ['registry/token', 'cio-EXAMPLE'],
      ['registries/my-lab/token', 'lab-EXAMPLE'],
      ['registries/my-lab/index', 'sparse+https://h/'],
      ['registries/x/token', 'x-EXAMPLE'],
      ['registries/x/secret', '1'],
      ['registries/list/0', 'a'],
      ['registries/list/1', 'b'],
      ['registries/long', 'cd'],
      ['registries/when', '2020-01-01 10:00:00Z'],
      ['t/0/n', '1'],
      ['t/1/n', 'true'],
      ['t/1/a.b/c', '1.5e3'],
    ]);
  });

  it('loses one value, in its line or between its commas, and nothing else', async () => {
    expect(await without('toml', text, 'registry/token')).toBe(text.replace('token = "cio-EXAMPLE" # main\n', ''));
    expect(await without('toml', text, 'registries/x/token')).toBe(text.replace('token = "x-EXAMPLE", ', ''));
    expect(await without('toml', text, 'registries/x/secret', 'registries/x/token')).toContain('x = {}\n');
  });

  it.each([
    ['token = EXAMPLE"', 'line 1: something stands behind the end of the value'],
    ['[a]\ntoken "EXAMPLE"', 'line 2: "=" is missing'],
    ['a = "EXAMPLE', 'line 1: a value is missing'],
    ['[a', 'line 1: "]" is missing'],
    ['a = "\\q"', 'line 1: an escape is none of TOML'],
  ])('%j is told by its line', async (broken, why) => {
    expect(await valuesOf('toml', broken)).toBe(why);
  });
});

describe('an INI file', () => {
  const text = '; mine\n[pypi]\nusername = __token__\npassword: pypi-EXAMPLE\n[aws two]\nkey =\n  a-EXAMPLE\n# end\n';

  it('gives its lines, each under its section', async () => {
    expect(await valuesOf('ini', text)).toEqual([
      ['pypi/username', '__token__'],
      ['pypi/password', 'pypi-EXAMPLE'],
      ['aws two/key', '\na-EXAMPLE'],
    ]);
    expect(await valuesOf('npmrc', 'registry=https://h/\n//h/:_authToken = npm-EXAMPLE\n')).toEqual([
      ['registry', 'https://h/'],
      ['//h/:_authToken', 'npm-EXAMPLE'],
    ]);
  });

  it('loses the lines of one value and nothing else', async () => {
    expect(await without('ini', text, 'pypi/password')).toBe(text.replace('password: pypi-EXAMPLE\n', ''));
    expect(await without('ini', text, 'aws two/key')).toBe(text.replace('key =\n  a-EXAMPLE\n', ''));
    expect(await without('ini', 'a = 1\r\nb = 2', 'b')).toBe('a = 1\r\n');
    expect(await without('ini', 'a = x-EXAMPLE\na = y-EXAMPLE\n', 'a')).toBe('it stands there twice');
  });

  it.each([
    ['[pypi\n', 'line 1: a section has no "]"'],
    ['\nEXAMPLE\n', 'line 2: it is neither a section nor "name = value"'],
  ])('%j is told by its line', async (broken, why) => {
    expect(await valuesOf('ini', broken)).toBe(why);
  });
});

describe('what is nested a thousand times', () => {
  it.each([
    ['json', '['],
    ['toml', `a = ${'['.repeat(900)}`],
  ] as const)('is followed no further than it must be: %s', async (format, start) => {
    expect(await valuesOf(format, start + '['.repeat(100_000))).toBe('line 1: it is nested too deeply');
  });
});

describe('a netrc', () => {
  const text =
    '# mine\nmachine a.example login ada password one-EXAMPLE\n\nmachine b.example\n  login bob # who\n  password "t\\"wo EXAMPLE"\nmacdef init\nmachine x login y password z\n\nmachine c.example login eve password #three-EXAMPLE machine d.example login d password d-EXAMPLE\ndefault login anonymous password me\n';

  it('gives its entries by number', async () => {
    expect(await valuesOf('netrc', text)).toEqual([
      ['0/machine', 'a.example'],
      ['0/login', 'ada'],
      ['0/password', 'one-EXAMPLE'],
      ['1/machine', 'b.example'],
      ['1/login', 'bob'],
      ['1/password', 't"wo EXAMPLE'],
      ['2/machine', 'c.example'],
      ['2/login', 'eve'],
      ['2/password', '#three-EXAMPLE'],
      ['3/machine', 'd.example'],
      ['3/login', 'd'],
      ['3/password', 'd-EXAMPLE'],
      ['4/login', 'anonymous'],
      ['4/password', 'me'],
    ]);
  });

  it('loses one entry and no comment', async () => {
    expect(await without('netrc', text, '0/password')).toBe(
      text.replace('machine a.example login ada password one-EXAMPLE\n', ''),
    );
    expect(await without('netrc', text, '1/password')).toBe(
      text.replace('machine b.example\n  login bob # who\n  password "t\\"wo EXAMPLE"\n', ' # who\n'),
    );
    expect(await without('netrc', text, '2/password')).toBe(
      text.replace('machine c.example login eve password #three-EXAMPLE ', ' '),
    );
  });

  it.each([
    ['EXAMPLE', 'line 1: it is not "machine" or "default"'],
    ['machine a login', 'line 1: a word is missing at the end'],
  ])('%j is told by its line', async (broken, why) => {
    expect(await valuesOf('netrc', broken)).toBe(why);
  });
});

describe('a pointer', () => {
  it('leads to one value, or by * to one of every member', async () => {
    const read = await readLeaves('json', Buffer.from('{"a/b":{"x":"1"},"c":{"x":"2","y":"3"}}'));
    const leaves = read.status === 'ok' ? read.leaves : [];
    expect(pick(leaves, '/a~1b/x').map(({ value }) => value)).toEqual(['1']);
    expect(pick(leaves, '/*/x').map(({ value }) => value)).toEqual(['1', '2']);
    expect(pick(leaves, '/x')).toEqual([]);
  });
});
