import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { fromWire, toWire } from '../../../protocol/text.ts';
import { JsonObject, writeJsonSecret, writeJsonText } from '../../../protocol/tools/json.ts';
import { ByteWriter } from '../../../protocol/writer.ts';

const read = (text: string) => JsonObject.read(Buffer.from(text));
const name = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string()),
);

describe('a JSON object, read in place', () => {
  it('has what JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.dictionary(name, value), fc.constantFrom('', ' ', '\t'), (object, indent) => {
        const json = read(` ${JSON.stringify(object, null, indent)}\n`);
        expect([...json.names()].map(fromWire).sort()).toEqual(Object.keys(object).sort());
        for (const [key, member] of Object.entries(object)) {
          const text = json.text(toWire(key));
          if (typeof member === 'string')
            expect(text && fromWire(text)).toBe(member && JSON.parse(JSON.stringify(member)));
          else expect(text).toBeUndefined();
          expect(json.number(toWire(key))).toBe(typeof member === 'number' ? member : undefined);
        }
      }),
    );
  });

  it('refuses what JSON.parse refuses, and never throws anything else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\u00 1e-.tfn\n') }), (text) => {
        const parsed = (() => {
          try {
            return JSON.parse(`{${text}`) as unknown;
          } catch {
            return undefined;
          }
        })();
        if (parsed === undefined)
          expect(() => [...read(`{${text}`).names()].map((key) => read(`{${text}`).text(key))).toThrow(
            /^cannot read the JSON/,
          );
      }),
    );
  });

  it.each([
    ['{"a":1,"a":2}', 'second time'],
    ['{"a":1}x', 'something follows'],
    ['{"a":"\\x"}', 'escape'],
    [`{"a":${'['.repeat(100_000)}`, 'levels deep'],
    ['{"a":', 'too early'],
    ['{"a":"', 'too early'],
    ['"x"', 'no object'],
    ['', 'too early'],
  ])('refuses %s', (text, why) => {
    expect(() => read(text.slice(0, 200_000)).text('a')).toThrow(why);
  });

  it('tells half a character apart from a whole one', () => {
    expect(fromWire(read('{"a":"\\ud83d\\ude00"}').text('a')!)).toBe('😀');
    expect(() => read('{"a":"\\ud83d"}').text('a')).toThrow('half a character');
    expect(() => read('{"a":"\\ude00\\ud83d"}').text('a')).toThrow('half a character');
  });
});

describe('a value written as JSON', () => {
  it('is read back as it was, and never holds a control byte', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
        (text) => {
          const out = new ByteWriter();
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
          const isFit = !/[\u0000-\u001f\u007f]/.test(text);
          for (const write of [
            () => writeJsonText(toWire(text), out),
            () => writeJsonSecret(secretFromText(text), out),
          ]) {
            out.truncate();
            if (isFit) write();
            else expect(write).toThrow('control byte');
            expect(out.length === 0 ? undefined : JSON.parse(out.view().toString())).toBe(isFit ? text : undefined);
          }
        },
      ),
    );
  });

  it('is refused where it is no UTF-8', () => {
    expect(() => writeJsonSecret(heapSecret(Buffer.from([0x61, 0xff])), new ByteWriter())).toThrow('no UTF-8');
  });
});
