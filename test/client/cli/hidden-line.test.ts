import { expect, test } from 'vitest';
import { HiddenLine } from '../../../client/cli/hidden-line.ts';

function typed(...pieces: readonly (string | Uint8Array)[]): HiddenLine {
  const line = new HiddenLine();
  for (const piece of pieces) line.feed(typeof piece === 'string' ? new TextEncoder().encode(piece) : piece);
  return line;
}

const textOf = (line: HiddenLine) => new TextDecoder().decode(line.bytes());

test('a line is what stands before Enter', () => {
  const line = typed('token-', 'EXAMPLE\r');
  expect(line.state).toBe('entered');
  expect(textOf(line)).toBe('token-EXAMPLE');
});

test('backspace takes back one character, also one of several bytes', () => {
  expect(textOf(typed('aé€\u{1f511}\u007f\u007fx\u0008\r'))).toBe('aé');
  expect(textOf(typed('\u007f\u007fa\r'))).toBe('a');
});

test('ctrl-U takes everything back, and with it what was wrong', () => {
  const line = typed('\u001b[Awrong\u0015right\r');
  expect(line.fault).toBeUndefined();
  expect(textOf(line)).toBe('right');
});

test('ctrl-C cancels, and so does ctrl-D on an empty line', () => {
  expect(typed('abc\u0003').state).toBe('cancelled');
  expect(typed('\u0004').state).toBe('cancelled');
  expect(typed('abc\u0004\r').fault).toContain('control byte');
});

test('a control byte is refused, not dropped', () => {
  expect(typed('a\u001b[Cb\r').fault).toContain('it holds a control byte');
  expect(typed('a\tb\r').fault).toContain('it holds a control byte');
});

test('a paste of 10 MiB is read to its end and refused', () => {
  const line = typed(new Uint8Array(10 * 1_048_576).fill(0x78));
  expect(line.state).toBe('open');
  line.feed(Uint8Array.of(0x0d));
  expect(line.state).toBe('entered');
  expect(line.fault).toBe('it is longer than 65000 bytes');
});

test('a paste of several lines is refused', () => {
  expect(typed('first\nrm -rf x\n').fault).toBe('more than one line was pasted');
});

test('disposing wipes what was typed', () => {
  const line = typed('token-EXAMPLE\r');
  line.dispose();
  expect(line.bytes()).toHaveLength(0);
});
