import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { targetOf } from '../../../client/cli/target.ts';
import { chainFor } from '../../../client/doctor/git-chain.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const CONFIG = `[credential]
	helper = osxkeychain
	helper =
	helper = store --file /x
[credential "https://git.example"]
	helper = /usr/bin/git-credential-keyhold
[credential "https://git.example/team"]
	helper = team
[credential "https://ada@git.example"]
	helper = adas
[credential "https://other.example"]
	helper =
	helper = other
[credential "https://git.example"]
	helper = !echo password=EXAMPLE
`;

describe.skipIf(!need('git', 'apt-get install git'))("git's helpers for a target", () => {
  const chain = (url: string) => {
    const { path, remove } = temporaryFolder('chain');
    onTestFinished(remove);
    writeFileSync(`${path}/config`, CONFIG);
    const args = [
      'config',
      '--file',
      `${path}/config`,
      '--null',
      '--show-origin',
      '--get-regexp',
      String.raw`^credential\.(.*\.)?helper$`,
    ];
    return chainFor(targetOf(url), execFileSync('git', args, { encoding: 'latin1' })).map(({ program }) => program);
  };

  it.each([
    ['https://git.example', ['store', '/usr/bin/git-credential-keyhold', 'a shell command']],
    ['https://git.example/team/app', ['store', '/usr/bin/git-credential-keyhold', 'team', 'a shell command']],
    ['https://git.example/teams', ['store', '/usr/bin/git-credential-keyhold', 'a shell command']],
    ['https://ada@git.example', ['store', '/usr/bin/git-credential-keyhold', 'adas', 'a shell command']],
    ['https://other.example', ['other']],
    ['http://git.example', ['store']],
    ['https://git.example:8443', ['store']],
  ])('are, in their order, for %s', (url, programs) => {
    expect(chain(url)).toEqual(programs);
  });
});
