import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../../protocol/services/base64.ts';
import { checkFormat } from '../../../protocol/services/index.ts';
import { aManifest, builtIn, service } from './manifests.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const check = (id: string, text: string, kind?: string) => checkFormat(service(id), bytes(text), kind);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (claims: unknown) => `${part({ alg: 'HS256' })}.${part(claims)}.c2lnbmF0dXJlRVhBTVBMRQ`;

describe('checkFormat', () => {
  test('takes both alphabets of base64 for one token', () => {
    const raw = Buffer.alloc(32, 0xfb);
    const forms = [raw.toString('base64'), raw.toString('base64url'), `${raw.toString('base64url')}=`];
    for (const form of forms)
      expect(check('pogo', form)).toMatchObject({ status: 'ok', canonical: new Uint8Array(raw) });
    expect(check('pogo', 'yMq3CR3BvKR6VrXn7TdDmAtt9N6M3x7a').status).toBe('ok');
  });

  test('reads the id and expiry of a JWT', () => {
    const token = jwt({ jti: '6f1c', exp: 1_900_000_000.5, tenant_id: 't' });
    expect(check('pangolin', token)).toMatchObject({
      status: 'ok',
      kind: { name: 'session' },
      id: '6f1c',
      expiresAt: 1_900_000_000,
    });
  });

  test.each([
    ['three parts that are no JSON', 'YWJj.YWJj.YWJj'],
    ['two parts', `${part({})}.${part({})}`],
    ['an array for claims', `${part({})}.${part([])}.c2ln`],
    ['bytes that are not UTF-8', `${part({})}.${Buffer.from([0x7b, 0xff]).toString('base64url')}.c2ln`],
  ])('no JWT: %s', (_, token) => {
    expect(check('pangolin', token, 'session')).toEqual({
      status: 'unfit',
      why: 'it is no JWT (session token of Pangolin)',
    });
  });

  test('claims that are of another kind than they should be are left alone', () => {
    const checked = check('pangolin', jwt({ jti: { x: 1 }, exp: 'soon', __proto__: { jti: 'x' } }));
    expect(checked).toMatchObject({ status: 'ok' });
    expect(checked).not.toHaveProperty('id');
    expect(checked).not.toHaveProperty('expiresAt');
  });

  test('tells the kind by the form', () => {
    expect(check('pangolin', `pgl_abcdefghijkl_${'a'.repeat(41)}EXAMPLE`)).toMatchObject({
      kind: { name: 'service-key' },
    });
    expect(check('github', `ghp_${'a'.repeat(29)}EXAMPLE`)).toMatchObject({ kind: { name: 'classic' } });
    expect(check('github', `gho_${'a'.repeat(29)}EXAMPLE`)).toMatchObject({ kind: { name: 'oauth' } });
    expect(check('apkg', 'apkg_ciEXAMPLE')).toMatchObject({ kind: { name: 'ci' } });
    expect(check('apkg', 'anything-else-EXAMPLE')).toMatchObject({ kind: { name: 'session' } });
  });

  test.each([
    ['npm', `npm_${'a'.repeat(29)}EXAMPLE`],
    ['crates-io', `cio${'a'.repeat(25)}EXAMPLE`],
    ['pypi', `pypi-AgEIcHlwaS5vcmc${'a'.repeat(20)}EXAMPLE`],
    ['docker-hub', `dckr_pat_${'a'.repeat(20)}EXAMPLE`],
    ['bitbucket', 'any-value-EXAMPLE'],
    ['github-enterprise', `ghp_${'a'.repeat(29)}EXAMPLE`],
    ['gitlab', 'glpat-aaaaaaaaaaaaaEXAMPLE'],
    ['podstack', 'podstack_abc123_EXAMPLE'],
    ['pogodoc', 'any-visible-EXAMPLE'],
  ])('%s takes what looks like its own', (id, token) => {
    expect(check(id, token)).toMatchObject({ status: 'ok' });
  });

  test('takes off white space at the ends, which a paste brings along, and says so', () => {
    expect(check('apkg', '  apkg_EXAMPLE\r\n')).toMatchObject({
      status: 'ok',
      trimmed: true,
      value: bytes('apkg_EXAMPLE'),
    });
    expect(check('apkg', 'apkg_EXAMPLE')).toMatchObject({ trimmed: false });
  });

  test.each([
    ['', 'it is empty'],
    [' \n', 'it is empty'],
    ['apkg_a apkg_b', 'it holds white space: more than a token was copied'],
    ['Bearer apkg_a', 'it holds white space: more than a token was copied'],
    ['apkg_\u0007a', 'it holds a control character'],
    ['"apkg_a"', 'it stands in quotes; leave them out'],
    ['apkg_ä', 'it holds a character that is not visible ASCII (API token of apkg)'],
  ])('%j is refused in words', (text, why) => {
    expect(check('apkg', text, 'ci')).toEqual({ status: 'unfit', why });
  });

  test('refuses 10 MiB without looking at them twice', () => {
    expect(checkFormat(service('apkg'), new Uint8Array(10 << 20).fill(0x61))).toMatchObject({
      why: 'it is longer than 65536 bytes',
    });
  });

  test('an unknown kind is named, with those that there are', () => {
    expect(check('pogo', 'x', 'session')).toEqual({ status: 'unfit', why: 'Pogo has no such kind; it has pat, ci' });
  });

  test('no part of a value that was refused stands in what is said', () => {
    const canary = 'CANARYxEXAMPLE';
    fc.assert(
      fc.property(
        fc.constantFrom(...builtIn),
        fc.string({ maxLength: 40 }),
        fc.string({ maxLength: 40 }),
        (manifest, before, after) => {
          const checked = checkFormat(manifest, bytes(`${before}${canary}${after}`));
          if (checked.status === 'unfit') expect(checked.why).not.toContain('CANARY');
          const { value, ...rest } = checked.status === 'ok' ? checked : { value: undefined, ...checked };
          expect(JSON.stringify({ ...rest, canonical: undefined })).not.toContain('CANARY');
        },
      ),
    );
  });

  test('leaves the bytes that it was given as they were', () => {
    fc.assert(
      fc.property(fc.constantFrom(...builtIn), fc.uint8Array({ maxLength: 100 }), (manifest, value) => {
        const before = Uint8Array.from(value);
        checkFormat(manifest, value);
        expect(value).toEqual(before);
      }),
    );
  });

  test('a format that asks for a length says which', () => {
    const manifest = aManifest({ kinds: [{ name: 'pat', format: { length: { min: 4, max: 6 } } }] });
    expect(checkFormat(manifest, bytes('abc'))).toEqual({
      status: 'unfit',
      why: 'it has 3 characters, where 4 to 6 are needed (pat of Thing)',
    });
  });
});

describe('base64', () => {
  test('decodes what node encodes, in every spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (raw) => {
        const standard = Buffer.from(raw).toString('base64');
        for (const form of [standard, standard.replace(/=+$/, ''), Buffer.from(raw).toString('base64url')]) {
          expect(decodeBase64(bytes(form))).toEqual(raw);
        }
      }),
    );
  });

  test('refuses what no encoder writes', () => {
    for (const text of ['a', 'ab=', 'a===', 'ab==cd==', 'ab c', 'ab+_', 'aB', 'YWI+YW-_', 'YWJj=']) {
      expect(decodeBase64(bytes(text)), text).toBeUndefined();
    }
  });
});
