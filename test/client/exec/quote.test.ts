import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { assignment, removal, type Shell } from '../../../client/exec/quote.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

/** Any bytes but control bytes: what a token may hold. */
const value = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0x20, max: 0xff }).filter((byte) => byte !== 0x7f),
      fc.constantFrom(...Buffer.from('\'"\\$`!*?[]{}()<>|&;#~%^= \t'.replace('\t', ''))),
    ),
    { maxLength: 60 },
  )
  .map((bytes) => Buffer.from(bytes));
/** fish reads its source as text and keeps only what is UTF-8. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .map((one) => Buffer.from(one.replace(/\p{Cc}/gu, "'\\"), 'utf8'));

const PRINT = 'printf %s "$TOKEN_1" | od -An -v -tx1';
const COUNT = 12;

const folder = temporaryFolder('quote');
afterAll(() => folder.remove());

/** The path of a file that holds a script: fish reads none from a socket. */
function saved(script: Buffer): string {
  writeFileSync(join(folder.path, 'script'), script);
  return join(folder.path, 'script');
}

/** Each shell: how to run a script from its standard input, and what its values are made of. */
const programs: readonly [Shell, string, readonly string[], typeof value][] = [
  ['bash', 'bash', ['--norc', '--noprofile'], value],
  ['zsh', 'zsh', ['-f'], value],
  ['zsh', 'zsh', ['-f', '-o', 'rcquotes', '-o', 'banghist'], value],
  ['sh', 'dash', [], value],
  ['sh', 'bash', ['--posix'], value],
  ['fish', 'fish', ['--no-config'], text],
];

describe.each(programs)('assignments for %s, read by %s %j', (shell, program, args, values) => {
  test.skipIf(!need(program, `apt-get install ${program}`))(
    'set exactly the bytes, whatever they are, also for the children',
    () => {
      fc.assert(
        fc.property(fc.array(values, { minLength: 1, maxLength: COUNT }), (many) => {
          const script = Buffer.concat(
            many.flatMap((one) => [assignment(shell, 'TOKEN_1', one), Buffer.from(`sh -c '${PRINT}'; echo =\n`)]),
          );
          const { stdout, stderr, status } = spawnSync(program, [...args, saved(script)], {
            env: {
              PATH: process.env['PATH'],
              LC_ALL: 'C.UTF-8',
              // A shell makes folders in its home, also where root runs it and the path has none.
              HOME: folder.path,
              XDG_CONFIG_HOME: folder.path,
            },
            timeout: 20_000,
          });
          expect({ stderr: stderr.toString(), status }).toEqual({ stderr: '', status: 0 });
          const read = stdout
            .toString()
            .split('=\n')
            .slice(0, -1)
            .map((hex) => hex.replace(/\s/g, ''));
          expect(read).toEqual(many.map((one) => one.toString('hex')));
        }),
        { numRuns: 15 },
      );
    },
  );

  test.skipIf(!need(program, `apt-get install ${program}`))('take a variable away', () => {
    const script = Buffer.concat([removal(shell, 'TOKEN_1'), Buffer.from(`sh -c 'echo "\${TOKEN_1-none}"'\n`)]);
    const { stdout } = spawnSync(program, [...args, saved(script)], {
      env: { PATH: process.env['PATH'], TOKEN_1: 'old', HOME: folder.path, XDG_CONFIG_HOME: folder.path },
      timeout: 20_000,
    });
    expect(stdout.toString()).toBe('none\n');
  });
});

describe('assignments for PowerShell', () => {
  /** How PowerShell reads a verbatim string: any two single quotes, also curly ones, are the first of them. */
  const QUOTES = "['\u2018\u2019\u201a\u201b]";
  const read = (line: string) => {
    const [, inside = ''] = new RegExp(`^\\$env:T = '((?:[^'\u2018-\u201b]|${QUOTES}{2})*)'\n$`, 'u').exec(line) ?? [];
    return inside.replace(new RegExp(`(${QUOTES})${QUOTES}`, 'gu'), '$1');
  };

  it.each([
    ["it's", "$env:T = 'it''s'\n"],
    ['$x `n "', "$env:T = '$x `n \"'\n"],
    ['a\u2019b', "$env:T = 'a\u2019\u2019b'\n"],
    ['', "$env:T = ''\n"],
  ])('quote %j', (one, line) => {
    expect(assignment('powershell', 'T', Buffer.from(one)).toString()).toBe(line);
  });

  it('come back as they were, by its rules', () => {
    const unit = fc.oneof(
      fc.constantFrom("'", '\u2018', '\u2019', '\u201a', '\u201b', '$', '`', '"'),
      fc.constantFrom('a', 'é'),
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), (one) => {
        expect(read(assignment('powershell', 'T', Buffer.from(one)).toString())).toBe(one);
      }),
    );
  });

  it('take a variable away', () => {
    expect(removal('powershell', 'T').toString()).toBe('Remove-Item -ErrorAction Ignore Env:T\n');
  });
});

describe('assignments for cmd', () => {
  it('stand in quotes, behind which nothing is looked at but what is refused', () => {
    expect(assignment('cmd', 'T', Buffer.from('a&b|c>d')).toString()).toBe('set "T=a&b|c>d"\r\n');
    expect(removal('cmd', 'T').toString()).toBe('set "T="\r\n');
  });

  it.each(['"', '%', '!', '^'])('refuse %j, and do not repeat the value', (byte) => {
    expect(() => assignment('cmd', 'T', Buffer.from(`token-EXAMPLE${byte}`))).toThrow(
      'cannot write it for cmd: the value holds one of " % ! ^',
    );
  });
});
