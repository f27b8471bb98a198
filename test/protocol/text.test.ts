import { constants } from 'node:os';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { whyNoTarget } from '../../protocol/credential.ts';
import { asFault, KeyholdError } from '../../protocol/errors.ts';
import { fromWire, inert, printable, printableWire, toWire } from '../../protocol/text.ts';

it.each([
  ['\x1b[2J', '\\u{1b}[2J'],
  ['\x1b]52;c;aGk=\x07', '\\u{1b}]52;c;aGk=\\u{7}'],
  ['\x9b31m', '\\u{9b}31m'],
  ['a\r\nb', 'a\\u{d}\\u{a}b'],
  ['user\u202egpj.exe', 'user\\u{202e}gpj.exe'],
  ['\u2066a\u2069', '\\u{2066}a\\u{2069}'],
  ['a\u2028b\u2029c\u0085d', 'a\\u{2028}b\\u{2029}c\\u{85}d'],
  ['zero\u200bwidth\ufeff', 'zero\\u{200b}width\\u{feff}'],
  ['tag\u{e0041}', 'tag\\u{e0041}'],
  ['Zürich 東京 🔑', 'Zürich 東京 🔑'],
])('printable shows what would steer a terminal: %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

it('printable leaves nothing that it would change again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(printable(printable(text))).toBe(printable(text));
    }),
  );
});

it('JSON is shown without what would steer a terminal, and means the same', () => {
  for (const text of [
    'tag\u{e0041}',
    'user\u202egpj.exe',
    'zero\u200bwidth\ufeff',
    'a\u180eb\u206a',
    'a\nb\x1b',
    'Zürich 東京 🔑',
  ]) {
    const json = JSON.stringify({ [text]: [text] }, undefined, 2);
    const shown = inert(json);
    expect(JSON.parse(shown)).toEqual({ [text]: [text] });
    expect(printable(shown.replaceAll('\n', ''))).toBe(shown.replaceAll('\n', ''));
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(JSON.parse(inert(JSON.stringify(text)))).toBe(text);
    }),
  );
});

it('wire text comes back, and bytes that are no text are shown as such', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(fromWire(toWire(text))).toBe(text.toWellFormed());
    }),
  );
  expect(printableWire('a\xffb\xe2\x80\xae')).toBe('a\ufffdb\\u{202e}');
});

it.each([
  ['https', 'example.com', true],
  ['https', 'example.com:8443', true],
  ['https', '[::1]:8443', true],
  ['https', 'xn--bcher-kva.example', true],
  ['smtp', 'mail.example:587', true],
  ['cert', '', true],
  ['https', '', false],
  ['https', undefined, false],
  [undefined, 'example.com', false],
  ['', 'example.com', false],
  ['https:', 'example.com', false],
  ['1https', 'example.com', false],
  ['https', 'a b', false],
  ['https', 'a/b', false],
  ['https', 'good.com\\@evil.com', false],
  ['https', 'user@host', false],
  ['https', 'a#b', false],
  ['https', 'a?b', false],
  ['https', 'bücher.example', false],
  ['https', '\xff', false],
])('a target of protocol %j and host %j: %j', (protocol, host, fine) => {
  expect(whyNoTarget(protocol, host) === undefined).toBe(fine);
});

it('a foreign error shows nothing of its text', () => {
  const fault = asFault(new Error('token hunter-EXAMPLE is bad'));
  expect(fault.status).toBe('unavailable');
  expect(fault.message).not.toContain('EXAMPLE');
  const own = new KeyholdError('locked', 'cannot get: locked');
  expect(asFault(own)).toBe(own);
});

it.each([
  ['ENOSPC', 'no space left on device', 'backend_full', 'make room there and try again'],
  ['EIO', 'i/o error', 'backend_failed', 'see: keyhold logs'],
] as const)(
  'a failed system call (%s) is told with its path and the words of the system',
  (code, words, fault, remedy) => {
    const errno = -constants.errno[code];
    const error = Object.assign(new Error('EXAMPLE'), { code, errno, syscall: 'open', path: '/state/locked' });
    expect(asFault(error)).toMatchObject({
      code: fault,
      message: `cannot open /state/locked: ${words} (${code}); ${remedy}`,
    });
  },
);
