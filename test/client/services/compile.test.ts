import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileManifest } from '../../../client/services/compile.ts';
import { builtIn } from '../../protocol/services/manifests.ts';

const least = `id: thing
title: Thing
hosts:
  - host: thing.example
scope: [host]
kinds:
  - name: pat
auth:
  - scheme: bearer
`;
const slipsOf = async (text: string) => {
  const compiled = await compileManifest(text, builtIn);
  return compiled.status === 'ok' ? [] : compiled.slips.map(({ line, column, text }) => `${line}:${column} ${text}`);
};
const compiled = async (text: string) => {
  const answer = await compileManifest(text, builtIn);
  if (answer.status === 'unfit') throw new Error(JSON.stringify(answer.slips));
  return answer.manifest;
};

describe('compileManifest', () => {
  test('makes plain JSON of YAML, and of JSON', async () => {
    const manifest = await compiled(least);
    expect(manifest).toEqual({
      id: 'thing',
      title: 'Thing',
      hosts: [{ host: 'thing.example' }],
      scope: ['host'],
      kinds: [{ name: 'pat' }],
      auth: [{ scheme: 'bearer' }],
    });
    expect(await compiled(JSON.stringify(manifest))).toEqual(manifest);
  });

  test('says the line and column of every mistake, in their order', async () => {
    const text = least
      .replace('  - host: thing.example', '  - hots: thing.example\n    port: 0')
      .replace('[host]', '[hosts]');
    expect(await slipsOf(text)).toEqual([
      '4:5 hosts[0] lacks the field "host"',
      '4:5 hosts[0].hots is no field that is known here; do you mean "host"?',
      '5:5 hosts[0].port must be a number from 1 to 65535, or any',
      '6:9 scope[0] must be host, port, path, account, tenant or registry',
    ]);
  });

  test('says where the rules are broken that the schema cannot say', async () => {
    expect(await slipsOf(`${least}rest:\n  base: https://evil.example\n`)).toEqual([
      '11:3 rest.base is sent tokens, but its host is none of "hosts"',
    ]);
  });

  test.each([
    ['id: a\n\tb: c\n', '2:1 Tabs are not allowed as indentation'],
    [`${least}id: other\n`, '10:1 Map keys must be unique'],
    ['- a\n- b\n', '1:1 the manifest must be an object (lines of `name: value`)'],
    ['', '1:1 the manifest must be an object (lines of `name: value`)'],
    ['a: &x [1]\nb: *x\n', '1:1 the manifest must not use aliases (*name)'],
    ['a: !!js/function "process.exit"\n', '1:4 Unresolved tag: tag:yaml.org,2002:js/function'],
    ['--- {}\n--- {}\n', '2:1 Source contains multiple documents; please use YAML.parseAllDocuments()'],
    [`# ${'x'.repeat(70_000)}\n`, '1:1 the file is longer than 65536 bytes'],
    ['like: nobody\n', `1:1 like is no service that is known; there are ${builtIn.map(({ id }) => id).join(', ')}`],
  ])('%j is told as what it is', async (text, slip) => {
    expect(await slipsOf(text)).toContain(slip);
  });

  test('a billion laughs are not laughed', async () => {
    const levels = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`);
    expect(await slipsOf(`a0: &a0 [x]\n${levels.join('\n')}\n`)).toEqual([
      '1:1 the manifest must not use aliases (*name)',
    ]);
  });

  test('no text makes it do anything but answer', async () => {
    const line = fc.constantFrom(
      'id: x',
      'hosts:',
      '  - host: a',
      '  host: [',
      '- {',
      'a: &b',
      '*b',
      '? x',
      '!!binary x',
      '"',
      '\t',
      '...',
      '---',
      'like: npm',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(line, fc.string({ maxLength: 12 })), { maxLength: 8 }), async (lines) => {
        expect(['ok', 'unfit']).toContain((await compileManifest(lines.join('\n'), builtIn)).status);
      }),
      { numRuns: 500 },
    );
  });
});

describe('like', () => {
  const work = 'id: work\ntitle: Work\nlike: gitlab\nhosts: [{ host: gitlab.work.example }]\n';

  test('takes what the manifest does not say from another', async () => {
    const manifest = await compiled(work);
    const gitlab = builtIn.find(({ id }) => id === 'gitlab')!;
    expect(manifest).toMatchObject({ id: 'work', hosts: [{ host: 'gitlab.work.example' }], rest: gitlab.rest });
    expect(manifest).not.toHaveProperty('like');
  });

  test("never takes the other's pages: they are another server's", async () => {
    expect(await compiled(work)).not.toHaveProperty('urls');
  });

  test('lays members over members, and null takes a field away', async () => {
    const manifest = await compiled(`${work}limits: { active: 3 }\npolicy: { warnBefore: 1d }\nfiles: null\n`);
    expect(manifest).toMatchObject({ limits: { active: 3 }, policy: { warnBefore: '1d', rotateEvery: '180d' } });
    expect(manifest).not.toHaveProperty('files');
  });

  test('does not let tokens go to the other service', async () => {
    const text = 'id: work\ntitle: Work\nlike: github\nhosts: [{ host: git.work.example }]\n';
    expect(await slipsOf(text)).toEqual(['1:1 rest.base is sent tokens, but its host is none of "hosts"']);
  });
});
