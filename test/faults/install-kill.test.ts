import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { treeOf } from '../client/home.ts';
import { aPerson, type Person } from '../live/person.ts';

/** Kills for each of the commands. */
const ROUNDS = 10;

/** Runs the copy's `keyhold` and kills it after a moment, unless it ended before. */
function killedAfter(milliseconds: number, { copy, env, desk }: Person, arguments_: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(copy, 'dist/bin/keyhold'), arguments_, { env, cwd: desk, stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

describe('install, setup and uninstall killed at any moment', () => {
  it.each([
    ['install', ['install'], 700],
    ['setup git', ['setup', 'git'], 200],
    ['uninstall', ['uninstall', '--purge', '--yes'], 400],
  ] as const)('leave what the same command mends: %s', async (_, command, span) => {
    await using person = await aPerson();
    const ours = join(person.copy, 'dist/bin/keyhold');
    mkdirSync(join(person.home, '.local/state'), { recursive: true });
    writeFileSync(join(person.home, '.gitconfig'), '[credential]\n\thelper = store\n');
    const before = treeOf(person.home);
    for (let round = 0; round < ROUNDS; round++) {
      if (command[0] !== 'install') await person.run(ours, ['install']);
      if (command[0] === 'uninstall') await person.run(ours, ['setup', 'git']);
      await killedAfter((span * round) / ROUNDS, person, command);
      if (command[0] !== 'uninstall') {
        await person.run(ours, command);
        await person.run(ours, ['setup', 'git']);
        const { stdout } = await person.git(['config', '--get-all', 'credential.helper']);
        expect(stdout).toBe(`store\n\n!exec ${person.home}/.local/bin/git-credential-keyhold\n`);
      }
      await person.run(ours, ['uninstall', '--purge', '--yes']);
      expect(treeOf(person.home)).toEqual(before);
    }
  });
});
