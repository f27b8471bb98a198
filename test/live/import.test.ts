import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { files, writeFiles } from '../client/import/files.ts';
import { checked } from '../client/schemas.ts';
import { execute } from '../execute.ts';
import { type BuiltAgent, configure, DIST, get, startAgent } from '../fakes/built-agent.ts';
import { IMPORT, killImport, leftovers, type Point, runUntil } from '../import-kills.ts';
import { need } from '../need.ts';
import { temporaryFolder } from '../temporary.ts';

const KEYHOLD = join(DIST, 'bin/keyhold');
/** Kills of the small run; test/faults/import-kill.test.ts has the many. */
const KILLS = 6;

type Told = {
  readonly tokens: readonly {
    source: string;
    file: string;
    url: string;
    username?: string;
    prefix: string;
    status: string;
    removed?: boolean;
    why?: string;
  }[];
  readonly passed: readonly { source: string; why: string }[];
  readonly unusable: readonly { source: string; file: string; why: string }[];
};

/** The built `keyhold import`, against the built agent with its vault. */
describe('keyhold import', () => {
  const folder = temporaryFolder('import-live');
  const { path: home } = folder;
  let agent: BuiltAgent;

  beforeAll(async () => {
    configure(home, { backend: 'vault' });
    agent = await startAgent({ home });
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    folder.remove();
  });

  const env = { PATH: process.env['PATH']!, HOME: home, KEYHOLD_HOME: home, KEYHOLD_NO_AUTOSTART: '1', COLUMNS: '80' };
  const run = (...args: string[]) => execute(KEYHOLD, ['import', ...args], { env, cwd: home, expect: 'any' });
  const told = async (code: number, ...args: string[]): Promise<Told> => {
    const ended = checked(['import', ...args, '--json'], await run(...args, '--json'));
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: '' });
    expect(ended.stdout).not.toMatch(/t\d-EXAMPLE/);
    return JSON.parse(ended.stdout) as Told;
  };
  const file = (name: string) => join(home, name);
  const held = async (...lines: string[]) => /^password=(.*)$/m.exec(await agent.ask(...lines))?.[1];

  test('S8, S33: shows what there is by --dry-run, and changes nothing', async () => {
    writeFiles(home);
    const before = files.map(({ path }) => readFileSync(file(path), 'latin1'));
    const { tokens, passed } = await told(0, '--dry-run');
    expect(tokens).toHaveLength(files.reduce((sum, one) => sum + one.tokens, 0));
    expect(new Set(tokens.map(({ status }) => status))).toEqual(new Set(['found']));
    expect(passed.length).toBeGreaterThan(3);
    const { stdout } = await run('--dry-run');
    expect(stdout).toMatch(/^https:\/\/git\.example +ada +~\/\.git-credentials$/m);
    expect(stdout).not.toMatch(/t\d-EXAMPLE/);
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(files.map(({ path }) => readFileSync(file(path), 'latin1'))).toEqual(before);
    expect(await held(...get('git.example'))).toBeUndefined();
  });

  test('shows the public prefix of a token and nothing more of it', async () => {
    const token = `ghp_${'x'.repeat(29)}EXAMPLE`;
    writeFileSync(file('.git-credentials'), `https://ada:${token}@prefix.example\n`);
    expect((await told(0, '--dry-run', '--only', 'git')).tokens).toMatchObject([{ prefix: 'ghp_' }]);
  });

  test('takes in what is chosen, and leaves the files', async () => {
    writeFiles(home);
    const before = readFileSync(file('.netrc'), 'latin1');
    const { tokens } = await told(0, '--only', 'netrc');
    expect(tokens.map(({ url, username, status }) => [url, username, status])).toEqual([
      ['https://n.example', 'ada', 'imported'],
      ['https://m.example', 'bob', 'imported'],
    ]);
    expect(await held(...get('n.example'))).toBe('netrct0-EXAMPLE');
    expect(readFileSync(file('.netrc'), 'latin1')).toBe(before);
    expect((await told(0, '--only', 'netrc')).tokens.map(({ status }) => status)).toEqual(['held', 'held']);
  });

  test('takes all in and out of every file, which keep their modes, links, comments and the rest', async () => {
    writeFiles(home);
    mkdirSync(file('dotfiles'), { recursive: true });
    renameSync(file('.npmrc'), file('dotfiles/npmrc'));
    symlinkSync('dotfiles/npmrc', file('.npmrc'));
    chmodSync(file('.pypirc'), 0o640);
    const { tokens } = await told(0, '--all', '--remove', '--yes');
    expect(tokens.filter(({ removed }) => removed !== true)).toEqual([]);
    expect(lstatSync(file('.npmrc')).isSymbolicLink()).toBe(true);
    expect(statSync(file('.pypirc')).mode & 0o777).toBe(0o640);
    expect(readFileSync(file('.npmrc'), 'latin1')).toBe(
      `; mine\nregistry=https://registry.npmjs.org/\n//v.example/:_authToken=\${TOKEN}\n//q.example/:username=bob\n`,
    );
    expect(readFileSync(file('.netrc'), 'latin1')).toBe('# mine\n # who\n\ndefault login anonymous password me\n');
    expect(readFileSync(file('.git-credentials'), 'latin1')).toBe('');
    expect(readFileSync(file('.kube/config'), 'latin1')).toContain('- name: ada\n  user:\n- name: lost\n');
    expect(await held(...get('index.docker.io'))).toBe('dockert0-EXAMPLE');
    expect(leftovers(home)).toEqual([]);
    expect(existsSync(join(home, 'state/import.json'))).toBe(false);
    expect((await told(0, '--all')).tokens).toEqual([]);
  });

  const request = (index: string) =>
    JSON.stringify({ v: 1, registry: { 'index-url': index }, kind: 'get', operation: 'read', args: [] });
  const exec = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}';

  test.each([
    ['git', ['git', 'get'], 'protocol=https\nhost=git.example\n', 'password=gitt0-EXAMPLE'],
    ['docker', ['docker', 'get'], 'https://index.docker.io/v1/', '"Secret":"dockert0-EXAMPLE"'],
    ['docker', ['docker', 'get'], 'r.example:5000/team', '"Secret":"dockert1-EXAMPLE"'],
    ['docker', ['docker', 'get'], 'id.example', '"Username":"<token>","Secret":"dockert2-EXAMPLE"'],
    ['npm', ['keyhold-npm@registry.npmjs.org'], '', 'Bearer npmt0-EXAMPLE'],
    [
      'cargo',
      ['cargo', '--cargo-plugin'],
      `${request('sparse+https://index.crates.io/')}\n`,
      '"token":"cargot0-EXAMPLE"',
    ],
    [
      'cargo',
      ['cargo', '--cargo-plugin'],
      `${request('sparse+https://lab.example/index/')}\n`,
      '"token":"cargot1-EXAMPLE"',
    ],
    ['pypi', ['keyring', 'get', 'https://upload.pypi.org/legacy/', '__token__'], '', 'pypit0-EXAMPLE'],
    ['kubectl', ['kubectl', 'get', 'https://k.example:6443'], '', '"token":"kubectlt0-EXAMPLE"'],
    ['aws', ['aws', 'get', 'https://sts.amazonaws.com'], '', '"SecretAccessKey":"awst0-EXAMPLE"'],
    ['aws', ['aws', 'get', 'https://sts.amazonaws.com/work'], '', '"SecretAccessKey":"awst1-EXAMPLE"'],
    ['terraform', ['terraform', 'get', 'app.terraform.io'], '', '"token":"terraformt0-EXAMPLE"'],
  ])('%s finds by its own helper what was imported: %j', async (_, [tool = '', ...args], input, expected) => {
    const helper = join(DIST, 'bin/keyhold-helper');
    const link = file(tool);
    const isName = tool.startsWith('keyhold-');
    if (isName) symlinkSync(helper, link);
    const more = { KUBERNETES_EXEC_INFO: exec };
    const words = isName ? args : [tool, ...args];
    const ended = await execute(isName ? link : helper, words, { env: { ...env, ...more }, input, expect: 'any' });
    expect(ended.stdout, ended.stderr).toContain(expected);
  });

  test('does not throw away another token that is held, nor take out of the file what is not held', async () => {
    writeFileSync(
      file('.git-credentials'),
      'https://ada:other-EXAMPLE@git.example\nhttps://ada:new-EXAMPLE@new.example\n',
    );
    const { tokens } = await told(1, '--only', 'git', '--remove', '--yes');
    expect(tokens.map(({ status, removed }) => [status, removed])).toEqual([
      ['differs', undefined],
      ['imported', true],
    ]);
    expect(readFileSync(file('.git-credentials'), 'latin1')).toBe('https://ada:other-EXAMPLE@git.example\n');
    expect(await held(...get('git.example'))).toBe('gitt0-EXAMPLE');
    await told(0, '--only', 'git', '--replace', '--remove', '--yes');
    expect(await held(...get('git.example'))).toBe('other-EXAMPLE');
  });

  test('leaves alone what is malformed or has a second name, and says so', async () => {
    writeFileSync(file('.netrc'), 'machine h.example EXAMPLE');
    writeFileSync(file('.git-credentials'), 'https://ada:linked-EXAMPLE@linked.example\n');
    linkSync(file('.git-credentials'), file('second-name'));
    const { tokens, unusable } = await told(1, '--all', '--remove', '--yes');
    expect(unusable).toMatchObject([{ source: 'netrc', why: 'line 1: it is not "machine" or "default"' }]);
    expect(tokens).toMatchObject([{ status: 'imported', removed: false, why: expect.stringContaining('second name') }]);
    expect(readFileSync(file('.netrc'), 'latin1')).toBe('machine h.example EXAMPLE');
    expect(readFileSync(file('second-name'), 'latin1')).toContain('linked-EXAMPLE');
    rmSync(file('second-name'));
    writeFileSync(file('.netrc'), '');
  });

  test.each([
    [['--only', 'nonexistent'], 2, '--only takes one of git, netrc'],
    [[], 6, 'pass --all, or --only NAME'],
    [['--all', '--remove'], 6, 'pass --yes'],
  ])('%j ends with %i, and nothing is changed', async (args, code, why) => {
    writeFiles(home);
    const ended = await run(...args);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(why);
    expect(readFileSync(file('.aws/credentials'), 'latin1')).toContain('awst0-EXAMPLE');
  });

  test('takes nothing out while the agent is locked, or keeps everything in memory', async () => {
    writeFiles(home);
    await agent.ask('action=lock', 'capability[]=keyhold');
    expect((await run('--all', '--remove', '--yes')).code).toBe(3);
    await agent.ask('action=unlock', 'capability[]=keyhold');
    const { path: other, remove } = temporaryFolder('import-memory');
    configure(other, { backend: 'memory' });
    writeFiles(other);
    await using memory = await startAgent({ home: other });
    const ended = await runUntil(memory.home, IMPORT);
    expect(ended.code).toBe(11);
    expect(ended.stderr).toContain('rests nowhere');
    expect(readFileSync(join(other, '.netrc'), 'latin1')).toContain('netrct0-EXAMPLE');
    remove();
  });

  test(`killed at ${KILLS} points, loses nothing, and the next run ends what was begun`, async () => {
    writeFiles(home, (name, at) => `${name}warm${at}-EXAMPLE`);
    const { took } = await runUntil(home, IMPORT);
    let killed = 0;
    for (let round = 0; round < KILLS; round++) {
      const { lost, wasKilled } = await killImport(agent, `l${round}`, pointOf(round, took));
      expect(lost).toEqual([]);
      killed += wasKilled ? 1 : 0;
    }
    expect(killed).toBeGreaterThan(KILLS / 3);
    expect((await runUntil(home, IMPORT)).code).toBe(0);
    expect((await told(0, '--dry-run')).tokens).toEqual([]);
    expect(leftovers(home)).toEqual([]);
  });

  /** Half of the points lie behind the moment at which files begin to change. */
  const pointOf = (round: number, took: number): Point =>
    round % 2 === 0
      ? { after: 'journal', milliseconds: round * 2 }
      : { after: 'start', milliseconds: (took * round) / KILLS };

  const SCREEN = 'import-screen';
  test.skipIf(!need('tmux', 'apt-get install tmux'))('a person marks which, and says yes', async () => {
    writeFileSync(
      file('.git-credentials'),
      'https://ada:one-EXAMPLE@one.example\nhttps://ada:two-EXAMPLE@two.example\n',
    );
    const tmux = (...args: string[]) =>
      execute('tmux', ['-S', file('tmux.sock'), ...args], { env: { ...env, TERM: 'xterm' }, expect: 'any' });
    await tmux(
      'new-session',
      '-d',
      '-s',
      SCREEN,
      '-x',
      '100',
      '-y',
      '30',
      `${KEYHOLD} import --remove; echo "ended $?"; sleep 60`,
    );
    const screen = async () => (await tmux('capture-pane', '-p', '-t', SCREEN)).stdout;
    try {
      await expect.poll(screen).toContain('Which tokens shall keyhold take in?');
      // The first is unmarked; all were marked.
      await tmux('send-keys', '-t', SCREEN, 'Space', 'Enter');
      await expect.poll(screen).toMatch(/Take one token in/);
      await tmux('send-keys', '-t', SCREEN, 'y', 'Enter');
      await expect.poll(screen).toContain('ended');
      expect(await screen()).not.toContain('EXAMPLE');
    } finally {
      await tmux('kill-server');
    }
    expect(readFileSync(file('.git-credentials'), 'latin1')).toBe('https://ada:one-EXAMPLE@one.example\n');
    expect(await held(...get('two.example'))).toBe('two-EXAMPLE');
    expect(await held(...get('one.example'))).toBeUndefined();
  });
});
