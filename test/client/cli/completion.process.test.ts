import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { need } from '../../need.ts';
import { emptyHome, keyhold } from '../keyhold.ts';

/** For each shell: a program that loads the script and prints what completes the words given as its arguments. */
const shells = {
  bash: {
    getIt: 'apt-get install bash',
    program: `source "$0" || exit 9
      COMP_WORDS=(keyhold "$@") COMP_CWORD=$#
      _keyhold
      printf '%s\\n' "\${COMPREPLY[@]}"`,
    run: (program: string, script: string, words: readonly string[]) => ['--norc', '-c', program, script, ...words],
  },
  zsh: {
    getIt: 'apt-get install zsh',
    // What the real completion system would offer is handed to _describe; this one prints it.
    program: `compdef() { : }; _files() { : }
      _describe() { print -l -- "\${(@P)4%%:*}" }
      source "$0" || exit 9
      words=(keyhold "$@"); CURRENT=$(( $# + 1 ))
      _keyhold`,
    run: (program: string, script: string, words: readonly string[]) => ['-f', '-c', program, script, ...words],
  },
  fish: {
    getIt: 'apt-get install fish',
    program: 'source $argv[1]; or exit 9; complete -C "keyhold $argv[2..-1]" | string split -f1 \\t; true',
    run: (program: string, script: string, words: readonly string[]) => [
      '--no-config',
      '-c',
      program,
      script,
      ...words,
    ],
  },
};

describe.each(Object.entries(shells))('keyhold completion %s', (shell, { getIt, program, run }) => {
  const isThere = need(shell, getIt);
  const complete = async (...words: string[]) => {
    const home = emptyHome();
    const script = join(home, 'completion');
    const { code, stdout } = await keyhold(['completion', shell], { home });
    expect(code).toBe(0);
    writeFileSync(script, stdout);
    const ended = spawnSync(shell, run(program, script, words), {
      encoding: 'utf8',
      timeout: 15_000,
      env: { PATH: process.env['PATH'], HOME: home },
    });
    expect({ status: ended.status, stderr: ended.stderr }).toEqual({ status: 0, stderr: '' });
    return ended.stdout.split('\n');
  };

  test.skipIf(!isThere)('offers the commands, their verbs, their options and their choices', async () => {
    expect(await complete('')).toEqual(expect.arrayContaining(['status', 'token', 'doctor']));
    expect(await complete('token', '')).toEqual(expect.arrayContaining(['set', 'list', 'print', 'remove']));
    expect(await complete('token', 'set', '--')).toEqual(expect.arrayContaining(['--for', '--stdin', '--json']));
    expect(await complete('--json', 'backend', 'use', '')).toEqual(
      expect.arrayContaining(['keyring', 'vault', 'memory']),
    );
    expect(await complete('token', '')).not.toContain('doctor');
    expect(await complete('help', '')).toEqual(expect.arrayContaining(['exit-codes', 'git', 'token']));
  });
});

test('completion refuses a shell that it does not know', async () => {
  expect((await keyhold(['completion', 'csh'], { home: emptyHome() })).code).toBe(2);
});
