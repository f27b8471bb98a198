import { KeyholdError } from '../../protocol/errors.ts';
import { FRAME_MAX } from '../../protocol/limits.ts';
import type { Adapter } from '../../protocol/tools/adapter.ts';

/** Bytes that the lines of a run may have. */
const HEADER_MAX = 131_072;

export type Ask = {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly adapter: Adapter;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string | undefined;
  readonly version: string;
};

/** The lines of `action=run`. Throws `bad_request` for an argument or variable that cannot be told by lines. */
export function encodeHeader({ program, arguments: words, adapter, environment, cwd, version }: Ask): Buffer {
  const lines = ['action=run', `name=${program}`];
  for (const word of words) {
    if (!isTellable(word))
      throw new KeyholdError('bad_request', 'cannot ask the agent: an argument holds a control byte');
    lines.push(`argument[]=${word}`);
  }
  if (cwd !== undefined && isTellable(cwd)) lines.push(`cwd=${cwd}`);
  const profile = environment['KEYHOLD_PROFILE'];
  if (profile) {
    if (!isTellable(profile)) throw untellable('KEYHOLD_PROFILE');
    lines.push(`profile=${profile}`);
  }
  for (const name of adapter.environment) {
    // kubectl ends its document with a LF.
    const value = environment[name]?.replace(/\n$/, '');
    if (value === undefined) continue;
    if (!isTellable(value)) throw untellable(name);
    lines.push(`env[]=${name}=${value}`);
  }
  for (const name of adapter.folders ?? []) {
    const value = environment[name];
    if (value && isTellable(value)) lines.push(`env[]=${name}=${value}`);
  }
  lines.push(`version=${version}`, '', '');
  const header = Buffer.from(lines.join('\n'));
  if (header.length > HEADER_MAX)
    throw new KeyholdError('bad_request', 'cannot ask the agent: the arguments are too long');
  return header;
}

/** Whether an argument can name nothing that is held: it is empty, or goes over no wire of lines. */
export function isUnnameable(word: string): boolean {
  return word === '' || !isTellable(word);
}

/** Frames of input, `i` with a length, in memory of their own. The pieces stay the caller's to wipe. */
export function encodeInput(pieces: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += FRAME_MAX) {
      const payload = piece.subarray(at, at + FRAME_MAX);
      parts.push(Buffer.from(`i${payload.length}\n`), payload);
    }
  }
  return Buffer.concat(parts);
}

/** The frame that ends the input. */
export const END_OF_INPUT = Buffer.from('i0\n');

function untellable(name: string): KeyholdError {
  return new KeyholdError('bad_request', `cannot ask the agent: a control byte in the variable ${name}`);
}

/** U+FFFD stands where node met bytes that are not UTF-8 and lost them. */
function isTellable(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  return !/[\u0000-\u001f\u007f\ufffd]/.test(text);
}
