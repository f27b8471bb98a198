import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Attributes, readAttributes } from '../../protocol/attributes.ts';
import type { Capabilities } from '../../protocol/capabilities.ts';
import { decodeReply, decodeRequest } from '../../protocol/decode.ts';
import { encodeReply, encodeRequest } from '../../protocol/encode.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, CredentialRequest } from '../../protocol/handler.ts';
import { expose, heapSecret, type Secret, secretFromText } from '../../protocol/secret.ts';
import { ByteWriter, isControl } from '../../protocol/writer.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';
import { runs } from '../runs.ts';
import { nearly, request, value } from './arbitraries.ts';
import { converse } from './converse.ts';

// The inputs cost ten seconds of computing, which a busy machine may stretch.
vi.setConfig({ testTimeout: 180_000 });

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const read = (bytes: Buffer) => readAttributes(bytes, 0, bytes.length, heapSecret);

/** The same with every secret shown and every absent field gone, so that it can be compared. */
function plain(thing: unknown): unknown {
  if (thing instanceof Attributes) {
    return Object.fromEntries(
      [...thing.keys()].sort().map((key) => [key, plain(thing.text(key) ?? thing.secret(key) ?? thing.list(key))]),
    );
  }
  if (thing !== null && typeof thing === 'object' && 'copyTo' in thing) {
    return `secret ${Buffer.from(expose(thing as Secret)).toString('latin1')}`;
  }
  if (Array.isArray(thing)) return thing.map(plain);
  if (thing === null || typeof thing !== 'object') return thing;
  return Object.fromEntries(
    Object.entries(thing)
      .filter(([key, one]) => one !== undefined && key !== 'attributes')
      .map(([key, one]) => [key, plain(one)]),
  );
}

const encoded = (one: CredentialRequest) => {
  const out = new ByteWriter();
  encodeRequest(one, out);
  return Buffer.from(out.view());
};

describe('the codec', () => {
  it('gives back every request that it wrote', () => {
    fc.assert(
      fc.property(request, (lines) => {
        const first = decodeRequest(read(latin1(lines)).attributes);
        const bytes = encoded(first);
        expect(bytes.subarray(-2)).toEqual(Buffer.from('\n\n'));
        const { attributes, fault } = read(bytes.subarray(0, -1));
        expect(fault).toBeUndefined();
        const second = decodeRequest(attributes);
        expect(plain(second)).toEqual(plain(first));
        expect(encoded(second)).toEqual(bytes);
      }),
      { numRuns: runs(20_000) },
    );
  });

  const secret = value.map((text) => heapSecret(latin1(text)));
  const target = { protocol: 'https', host: 'example.com' };
  const details = fc.array(
    fc.tuple(
      fc.constantFrom('item[]', 'held', 'version'),
      value.filter((text) => text !== ''),
    ),
    {
      maxLength: 3,
    },
  );
  const reply: fc.Arbitrary<CredentialReply> = fc.oneof(
    fc.record({
      status: fc.constant('ok' as const),
      message: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }).map(visible), { nil: undefined }),
      state: fc.array(
        value.filter((text) => text !== ''),
        { maxLength: 2 },
      ),
      credential: fc
        .record({
          username: fc.option(value, { nil: undefined }),
          secret,
          refreshToken: fc.option(secret, { nil: undefined }),
          authtype: fc.option(fc.constant('Bearer'), { nil: undefined }),
          expiresAt: fc.option(fc.integer({ min: 0, max: 999_999_999_999 }), { nil: undefined }),
        })
        .map((one) => ({ ...target, ...one })),
    }),
    fc.record({
      status: fc.constantFrom('not-found', 'locked', 'denied', 'expired', 'unavailable', 'unsupported'),
      message: fc.string({ unit: 'grapheme', maxLength: 40 }).map(visible),
      details: details.map((all) =>
        all.filter(([key], at) => key.endsWith('[]') || all.findIndex(([k]) => k === key) === at),
      ),
    }),
  );
  const everything: Capabilities = { authtype: true, state: true, keyhold: true };

  it('gives back every reply that it wrote, messages in every script', () => {
    const asked = decodeRequest(read(latin1('action=get\nprotocol=https\nhost=example.com\n')).attributes);
    fc.assert(
      fc.property(reply, (first) => {
        const out = new ByteWriter();
        encodeReply(first, everything, out);
        const { attributes, fault } = read(Buffer.from(out.view()));
        expect(fault).toBeUndefined();
        const second = decodeReply(asked, attributes);
        const details = (one: CredentialReply) => [...(one.details ?? [])].map(String).sort();
        expect(details(second)).toEqual(details(first));
        expect(plain({ ...second, details: undefined })).toEqual(plain({ ...first, details: undefined }));
      }),
      { numRuns: runs(20_000) },
    );
  });

  it('gives the same answers however the bytes are split', async () => {
    await fc.assert(
      fc.asyncProperty(nearly, fc.array(fc.nat(), { maxLength: 6 }), async (bytes, cuts) => {
        const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other);
        const pieces = [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end));
        const whole = await converse([bytes], new FakeStore(new FakeClock()).handler);
        expect(await converse(pieces, new FakeStore(new FakeClock()).handler)).toEqual(whole);
      }),
      { numRuns: runs(12_000) },
    );
  });

  it('gives the same answers byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(nearly, async (bytes) => {
        const whole = await converse([bytes], new FakeStore(new FakeClock()).handler);
        const single = Array.from(bytes, (byte) => Buffer.from([byte]));
        expect(await converse(single, new FakeStore(new FakeClock()).handler)).toEqual(whole);
      }),
      { numRuns: runs(3_000) },
    );
  });
});

describe('the writer', () => {
  it('never emits a control byte in a value, whatever it is given', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({ unit: fc.integer({ max: 0x17f }).map((code) => String.fromCharCode(code)), maxLength: 12 }),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => heapSecret(bytes)),
    );
    fc.assert(
      fc.property(anything, (given) => {
        const out = new ByteWriter();
        out.text('before=1\n');
        let wrote = true;
        try {
          out.attribute('key', given);
        } catch (error) {
          expect(error).toBeInstanceOf(KeyholdError);
          wrote = false;
        }
        const bytes = out.view();
        expect(bytes.subarray(0, 9).toString()).toBe('before=1\n');
        if (!wrote) {
          expect(bytes.length).toBe(9);
          return;
        }
        expect(bytes.at(-1)).toBe(0x0a);
        expect(bytes.subarray(13, -1).some(isControl)).toBe(false);
        expect(bytes.length).toBe(9 + 4 + given.length + 1);
      }),
      { numRuns: runs(40_000) },
    );
  });

  it('refuses characters that are no bytes rather than cut them to others', () => {
    const out = new ByteWriter();
    // U+0167 ends in 0x67, the g of github.com.
    expect(() => out.attribute('host', '\u0167ithub.com')).toThrow('cannot write host');
    expect(out.length).toBe(0);
  });

  it('refuses a line that no reader would take', () => {
    const out = new ByteWriter();
    out.attribute('path', 'a'.repeat(65_529));
    expect(out.length).toBe(65_535);
    expect(() => out.attribute('path', 'a'.repeat(65_530))).toThrow('too long for a line');
    expect(out.length).toBe(65_535);
  });

  it('refuses names that are none, in a request and in an answer', () => {
    const attributes = new Attributes();
    attributes.add('x\nhost', 'evil.example');
    const request = { action: 'list', capabilities: everyone, attributes };
    expect(() => encodeRequest(request, new ByteWriter())).toThrow('its name is not one');
    const reply = { status: 'ok', details: [['x\nhost', 'evil.example']] } as const;
    expect(() => encodeReply(reply, everyone, new ByteWriter())).toThrow('its name is not one');
  });

  it('writes a message with line ends and escapes as one visible line', () => {
    const out = new ByteWriter();
    encodeReply({ status: 'locked', message: 'a\nstatus=ok\x1b[2J' }, everyone, out);
    expect(out.view().toString()).toBe('status=locked\nmessage=a\\u{a}status=ok\\u{1b}[2J\n');
  });

  it('gives a Bearer credential to nobody who did not offer authtype', () => {
    const credential = { protocol: 'https', host: 'a', authtype: 'Bearer', secret: secretFromText('bearer-EXAMPLE') };
    const out = new ByteWriter();
    encodeReply({ status: 'ok', credential }, { authtype: false, state: true, keyhold: false }, out);
    expect(out.length).toBe(0);
    encodeReply({ status: 'ok', credential }, { authtype: false, state: true, keyhold: true }, out);
    expect(out.view().toString()).toMatch(/^status=not-found\nmessage=.*\n$/);
  });

  it('tells details only to who offered keyhold', () => {
    const out = new ByteWriter();
    encodeReply({ status: 'ok', details: [['url', 'https://evil.example']] }, { ...everyone, keyhold: false }, out);
    expect(out.length).toBe(0);
  });
});

const everyone: Capabilities = { authtype: true, state: true, keyhold: true };

/** What `printable` leaves as it is. */
function visible(text: string): string {
  return text.replace(/[\p{C}\p{Z}]/gu, '.');
}

describe('the reader', () => {
  it('never throws', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .array(
          fc.constantFrom('host=a\n', 'host', '=', '\n', '\r', '\0', 'state[]=', 'password=x\n', '[]=', 'é=', '\x7f'),
          { maxLength: 12 },
        )
        .map((parts) => latin1(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, (any) => {
        read(Buffer.from(any)).attributes.dispose();
      }),
      { numRuns: runs(65_000) },
    );
  });

  it('never throws what the keeper of secrets throws', () => {
    const full = new KeyholdError('backend_full', 'cannot keep a secret: no room');
    const keep = () => {
      throw full;
    };
    const bytes = latin1('password=hunter-EXAMPLE\nhost=a\n');
    const { attributes, fault } = readAttributes(bytes, 0, bytes.length, keep);
    expect(fault).toBe(full);
    expect(attributes.text('host')).toBe('a');
  });

  it('never makes one key of two different values', () => {
    // A newline would end the value: `10 65 61` is an empty value and a line of its own.
    const bytes = fc.uint8Array({ maxLength: 6 }).filter((value) => !value.includes(0x0a));
    fc.assert(
      fc.property(bytes, bytes, fc.constantFrom('host', 'username', 'path', 'protocol'), (one, other, key) => {
        const lines = [one, other].map((raw) => Buffer.concat([latin1(`${key}=`), raw, latin1('\n')]));
        const texts = lines
          .map((line) => read(line))
          .map(({ attributes, fault }) => (fault ? undefined : attributes.text(key)));
        if (texts[0] !== undefined && texts[0] === texts[1]) expect(Buffer.from(one)).toEqual(Buffer.from(other));
      }),
      { numRuns: runs(40_000) },
    );
  });

  it('keeps ff and fe, composed and decomposed, NFKC twins and empty apart', () => {
    const names = ['\xff', '\xfe', '\xc3\xa9', 'e\xcc\x81', 'K', '\xe2\x84\xaa', '', ' ', '\xc0\xaf', '/'];
    const texts = names.map((name) => read(latin1(`username=${name}\n`)).attributes.text('username'));
    expect(new Set(texts).size).toBe(names.length);
  });

  it('does not repeat a name that might be a secret', () => {
    const { fault } = read(latin1('c2VjcmV0LUVYQU1QTEU=\nc2VjcmV0LUVYQU1QTEU=\n'));
    expect(fault?.message).toBe('cannot read the request: line 2 gives a name a second time');
  });

  it('keeps an empty argument, and clears every other list by an empty value', () => {
    const { attributes } = read(latin1('argument[]=get\nargument[]=\nstate[]=a\nstate[]=\nstate[]=b\n'));
    expect(attributes.list('argument[]')).toEqual(['get', '']);
    expect(attributes.list('state[]')).toEqual(['b']);
  });
});
