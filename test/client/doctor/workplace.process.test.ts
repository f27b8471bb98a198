import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkWorkplace, holdsToken } from '../../../client/doctor/workplace.ts';
import { readCatalogue } from '../../../client/services/catalogue.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const GITHUB = `ghp_${'a'.repeat(29)}EXAMPLE`;

function aFolder(files: Record<string, string>, mode = 0o600): string {
  const { path, remove } = temporaryFolder('workplace');
  onTestFinished(remove);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content, { mode });
  return path;
}

function git(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('git', args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function said(folder: string): Promise<string[]> {
  const findings = await checkWorkplace(readCatalogue('/nonexistent').manifests, folder);
  const lines = findings.map(({ state, what }) => `${state} ${what}`);
  expect(lines.join()).not.toMatch(/EXAMPLE/);
  return lines;
}

describe('a folder that is no repository', () => {
  it('D18: tells a .env by the name of a variable, or by how its value begins', async () => {
    const folder = aFolder({
      '.env': `# mine\nexport POGODOC_API_TOKEN="x-EXAMPLE"\nPORT=80\nANY=${GITHUB}\nAPKG_TOKEN=\n`,
    });
    expect(await said(folder)).toEqual([
      'note .env here holds a token for pogodoc (POGODOC_API_TOKEN)',
      'note .env here holds a token for github (ANY)',
    ]);
  });

  it('tells one that others may open, and leaves examples alone', async () => {
    const folder = aFolder({ '.env.local': 'NPM_TOKEN=x-EXAMPLE', '.env.example': 'NPM_TOKEN=x-EXAMPLE' }, 0o644);
    expect(await said(folder)).toEqual([
      'mend .env.local here holds a token for npm (NPM_TOKEN), and others may open it',
    ]);
  });
});

describe.skipIf(!need('git', 'apt-get install git'))('a repository', () => {
  it('D11, D18: tells a .env that git has, that no .gitignore names, and nothing more of one that is ignored', async () => {
    const folder = aFolder({ '.env': 'NPM_TOKEN=x-EXAMPLE\n' });
    git(folder, 'init', '-q');
    const holds = '.env here holds a token for npm (NPM_TOKEN)';
    expect(await said(folder)).toEqual([`mend ${holds}, and no .gitignore names it: the next git add takes it along`]);
    git(folder, 'add', '-f', '.env');
    expect(await said(folder)).toEqual([`mend ${holds}, and git has it: whoever has the repository has the token`]);
    git(folder, 'rm', '-q', '--cached', '.env');
    writeFileSync(join(folder, '.gitignore'), '.env*\n');
    expect(await said(folder)).toEqual([`note ${holds}`]);
  });

  it('P27: tells tokens in the addresses of remotes, in rewritten addresses and in headers', async () => {
    const folder = aFolder({});
    git(folder, 'init', '-q');
    git(folder, 'remote', 'add', 'origin', 'https://ada:x-EXAMPLE@git.example/x.git');
    git(folder, 'remote', 'add', 'two', 'https://git.example/x.git?private_token=x-EXAMPLE');
    git(folder, 'remote', 'add', 'plain', 'https://ada@git.example/x.git');
    git(folder, 'config', 'url.https://u:x-EXAMPLE@h.example/.insteadOf', 'https://h.example/');
    git(folder, 'config', 'http.https://git.example/.extraheader', 'Authorization: Bearer x-EXAMPLE');
    const lines = (await said(folder)).map((line) =>
      line.replace(/ in \S*\.git\/config/, '').replace(/ stands .*/, ''),
    );
    expect(lines.sort()).toEqual([
      'mend an address has a token in its URL, which wins over every helper',
      'mend git sends a header with a token that stands',
      'mend the address of origin has a token in its URL, which wins over every helper',
      'mend the address of two has a token in its URL, which wins over every helper',
    ]);
  });

  it("tells a project's .npmrc with a token or an address with one", async () => {
    const folder = aFolder({
      '.npmrc': `registry=https://ada:x-EXAMPLE@h/\n//h/:_authToken=x-EXAMPLE\n//k/:_authToken=\${T}\n`,
    });
    git(folder, 'init', '-q');
    expect(await said(folder)).toEqual([
      'mend .npmrc here holds a token, and no .gitignore names it: the next git add takes it along',
      'mend registry of .npmrc has a token in its URL',
    ]);
  });
});

it.each([
  ['https://u:p@h/', true],
  ['https://u@h/', false],
  ['https://h/?x=1&access_token=abc', true],
  ['https://h/?token=$TOKEN', false],
  ['git@h:x/y.git', false],
  ['https://h:8443/a:b@c', false],
])('%s: %s', (url, expected) => {
  expect(holdsToken(url)).toBe(expected);
});
