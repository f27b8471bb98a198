import { exitCodeOf } from '../../protocol/status.ts';
import { CommandFailure } from '../cli/failure.ts';

/** The shells that `keyhold env` writes for. */
export const shells = ['bash', 'zsh', 'sh', 'fish', 'powershell', 'cmd'] as const;
export type Shell = (typeof shells)[number];

const QUOTE = 0x27;
const BACKSLASH = 0x5c;

/** How a shell sets a variable that its children see, and takes one away. */
type Grammar = {
  readonly before: (name: string) => string;
  readonly after: string;
  readonly unset: (name: string) => string;
  /** Bytes that stand for the one at `at`, where it cannot stand for itself; throws where nothing can. */
  readonly instead: (value: Uint8Array, at: number) => string | undefined;
};

/** POSIX.1-2024, XCU 2.2.2: between single quotes nothing but a single quote means anything. */
const posix: Grammar = {
  before: (name) => `export ${name}='`,
  after: "'\n",
  unset: (name) => `unset ${name}\n`,
  instead: (value, at) => (value[at] === QUOTE ? "'\\''" : undefined),
};

const grammars: Readonly<Record<Shell, Grammar>> = {
  bash: posix,
  zsh: posix,
  sh: posix,
  // fish, "Quotes": between single quotes a backslash escapes itself and a single quote.
  fish: {
    before: (name) => `set -gx ${name} '`,
    after: "'\n",
    unset: (name) => `set -e ${name}\n`,
    instead: (value, at) => (value[at] === QUOTE ? "\\'" : value[at] === BACKSLASH ? '\\\\' : undefined),
  },
  // about_Quoting_Rules: a single quote is doubled; U+2018 to U+201B are single quotes as well.
  powershell: {
    before: (name) => `$env:${name} = '`,
    after: "'\n",
    unset: (name) => `Remove-Item -ErrorAction Ignore Env:${name}\n`,
    instead: (value, at) => {
      if (value[at] === QUOTE) return "''";
      const last = value[at]!;
      const isCurly = value[at - 2] === 0xe2 && value[at - 1] === 0x80 && last >= 0x98 && last <= 0x9b;
      return isCurly ? Buffer.from([last, 0xe2, 0x80, last]).toString('latin1') : undefined;
    },
  },
  // cmd /?: inside `set "…"` these are still looked at, and no way to write them holds both at the prompt and in a file.
  cmd: {
    before: (name) => `set "${name}=`,
    after: '"\r\n',
    unset: (name) => `set "${name}="\r\n`,
    instead: (value, at) => {
      if ('"%!^'.includes(String.fromCharCode(value[at]!))) {
        throw new CommandFailure(exitCodeOf('unsupported'), 'cannot write it for cmd: the value holds one of " % ! ^');
      }
      return undefined;
    },
  },
};

/**
 * One assignment, as bytes in memory of its own that can be wiped. The value may hold any byte but control bytes, as no
 * token does.
 */
export function assignment(shell: Shell, name: string, value: Uint8Array): Buffer {
  const { before, after, instead } = grammars[shell];
  const start = before(name);
  // The longest that one byte becomes is four.
  const room = Buffer.allocUnsafeSlow(start.length + value.length * 4 + after.length);
  let length = room.write(start, 'latin1');
  for (let at = 0; at < value.length; at++) {
    const other = instead(value, at);
    if (other === undefined) room[length++] = value[at]!;
    else length += room.write(other, length, 'latin1');
  }
  length += room.write(after, length, 'latin1');
  return room.subarray(0, length);
}

/** The line that takes a variable away. */
export function removal(shell: Shell, name: string): Buffer {
  return Buffer.from(grammars[shell].unset(name));
}
