import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkManifest, conform, type Manifest, manifestSchema } from '../../../protocol/services/index.ts';
import { aManifest, builtIn } from './manifests.ts';

const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(manifestSchema);
const problems = (document: unknown) =>
  conform(document, manifestSchema).map(({ path, rule }) => `${path.join('.')} ${rule}`);

/** Puts a foreign value in the place of one part of a document, takes one away, or adds one. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    'x',
    'https://a.example',
    0,
    -1,
    1.5,
    70_000,
    true,
    [],
    {},
    [[]],
    ['x', 'x'],
    { none: 'no' },
    { method: 'GET', path: '/x' },
  ),
  fc.string({ maxLength: 10, unit: 'binary' }),
  fc.string({ minLength: 401, maxLength: 410 }),
  fc.jsonValue({ maxDepth: 2 }),
);
const mutated = fc
  .tuple(fc.constantFrom(...builtIn), fc.nat(), fc.constantFrom('set', 'remove', 'add'), junk)
  .map(([manifest, at, how, value]) => {
    const copy: unknown = structuredClone(manifest);
    const places: [Record<string, unknown>, string][] = [];
    const walk = (node: unknown) => {
      if (typeof node !== 'object' || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        walk((node as Record<string, unknown>)[key]);
      }
    };
    walk(copy);
    const [holder, key] = places[at % places.length]!;
    if (how === 'set') holder[key] = value;
    else if (how === 'add' && !Array.isArray(holder)) holder['zzz'] = value;
    else if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
    return copy;
  });

describe('the schema', () => {
  test('is one that ajv takes in its strict mode', () => {
    expect(validate.errors ?? []).toEqual([]);
  });

  test('takes every built-in manifest', () => {
    for (const manifest of builtIn) {
      expect(validate(manifest), JSON.stringify(validate.errors)).toBe(true);
      expect(problems(manifest)).toEqual([]);
    }
  });

  test('is read by conform as ajv reads it, whatever is done to a manifest', () => {
    let refused = 0;
    fc.assert(
      fc.property(mutated, (document) => {
        const ours = problems(document).length === 0;
        if (!ours) refused++;
        expect({ document, fits: ours }).toEqual({ document, fits: validate(document) });
      }),
      { numRuns: 4_000 },
    );
    expect(refused).toBeGreaterThan(1_000);
  });

  test('and what its rules say of a document is an answer, never an error', () => {
    fc.assert(
      fc.property(mutated, (document) => {
        expect(['ok', 'unfit']).toContain(checkManifest(document).status);
      }),
      { numRuns: 2_000 },
    );
  });

  test('refuses what is no manifest at all', () => {
    for (const document of [null, [], 'x', 1, true])
      expect(problems(document)).toEqual([' must be an object (lines of `name: value`)']);
  });
});

describe('what it says', () => {
  const slip = (parts: object) => problems({ ...aManifest(), ...parts });

  test.each<[object, string]>([
    [{ hots: [] }, 'hots is no field that is known here; do you mean "hosts"?'],
    [{ command: 'rm' }, 'command is no field that is known here'],
    [{ id: 'A B' }, 'id must be a name of a-z, 0-9 and "-"'],
    [{ title: 'a\u202eb' }, 'title must be one line of text'],
    [{ title: 7 }, 'title must be text (put it in quotes)'],
    [{ scope: 'host' }, 'scope must be a list (lines that begin with "-")'],
    [{ scope: ['host', 'host'] }, 'scope.1 stands there twice'],
    [{ kinds: [] }, 'kinds must not be empty'],
    [{ limits: { active: 0 } }, 'limits.active must be a whole number from 1 to 100000'],
    [{ life: { restorable: 'no' } }, 'life.restorable must be true or false'],
    [{ policy: { rotateEvery: '1 year' } }, 'policy.rotateEvery must be a duration such as 90d, 24h, 30m or never'],
    [
      { rest: { base: 'https://a.example', create: true } },
      'rest.create must be a call (`method`, `path`, …) or `none: WHY`',
    ],
    [{ rest: { base: 'https://a.example', create: { method: 'GET' } } }, 'rest.create lacks the field "path"'],
    [{ hosts: [{ host: 'a', port: 0 }] }, 'hosts.0.port must be a number from 1 to 65535, or any'],
    [
      { kinds: [{ name: 'pat', format: { alphabet: 'greek' } }] },
      'kinds.0.format.alphabet must be visible, alphanumeric, hex, base64 or base64url',
    ],
  ])('%j: %s', (parts, words) => {
    expect(slip(parts)).toEqual([words]);
  });

  test('names every field that is missing', () => {
    expect(problems({})).toEqual(
      ['id', 'title', 'hosts', 'scope', 'kinds', 'auth'].map((name) => ` lacks the field "${name}"`),
    );
  });

  test('a field of the prototype is no field', () => {
    const document = JSON.parse('{"constructor": 1, "__proto__": {"id": "x"}}') as Manifest;
    expect(problems(document)).toContain('constructor is no field that is known here');
    expect(problems(document)).toContain('__proto__ is no field that is known here');
  });
});
