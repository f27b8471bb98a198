import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exchange } from '../../fakes/built-agent.ts';
import { openComposed } from '../../fakes/composed-agent.ts';
import { type Ended, emptyHome, keyhold } from '../keyhold.ts';

const GITHUB = 'https://github.com';
const TOKEN = `ghp_${'a'.repeat(29)}EXAMPLE`;
const OTHER = `ghp_${'b'.repeat(29)}EXAMPLE`;

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
});
afterEach(() => agent.dispose());

/** Runs `keyhold token …` against the agent; words are separated by spaces, `_` is one inside a word. */
function token(words: string, input?: string | Buffer): Promise<Ended> {
  const args = words.split(' ').map((word) => word.replaceAll('_', ' '));
  return keyhold(['token', ...args], {
    home,
    ...(input === undefined ? {} : { input }),
    environment: { KEYHOLD_SOCKET: agent.socket },
  });
}

async function items(options = ''): Promise<Record<string, unknown>[]> {
  const { stdout } = await token(`list --json${options}`);
  return JSON.parse(stdout).items;
}

describe('token set', () => {
  test('checks the form against the service first, and does not repeat the token (P13, P24, D41)', async () => {
    const { code, stdout, stderr } = await token(`set --for ${GITHUB}`, 'ghx_half-a-token-EXAMPLE\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^keyhold: cannot take the token for https:\/\/github\.com: it is no token of GitHub \(/);
    expect(stderr).not.toContain('half-a-token');
    expect(await items()).toEqual([]);
    expect((await token(`set --for ${GITHUB} --force`, 'ghx_half-a-token-EXAMPLE\n')).code).toBe(0);
  });

  test('takes white space off that was pasted with it, and notes where it came from (P19)', async () => {
    const set = await token(`set --for ${GITHUB} --label laptop --origin the_admin --account ada`, `  ${TOKEN} \n`);
    expect(set.stdout).toContain('Stored a token for https://github.com, label laptop.\nGitHub: ');
    expect(set.stdout).toContain('white space at its ends was left out');
    const [item] = await items();
    expect(item).toMatchObject({ service: 'github', label: 'laptop', origin: 'the admin', account: 'ada' });
    expect(item).toMatchObject({ username: 'laptop', prefix: 'ghp_' });
    expect((await token('print laptop')).stdout).toBe(`${TOKEN}\n`);
  });

  test('says that it replaces one, and keeps two apart that have labels (P12)', async () => {
    await token(`set --for ${GITHUB} --no-verify --label laptop`, TOKEN);
    expect((await token(`set --for ${GITHUB} --no-verify --label ci`, OTHER)).stderr).toBe('');
    const again = await token(`set --for ${GITHUB} --no-verify --label laptop`, `${OTHER.replace('bbb', 'ccc')}`);
    expect(again.stderr).toMatch(/^keyhold: this replaces the token laptop for https:\/\/github\.com, kept since 20/);
    expect(again.stdout).toContain('Updated the token for https://github.com, label laptop.');
    expect((await items()).map(({ label }) => label)).toEqual(['ci', 'laptop']);
  });

  test('finds the server in the files of the folder and above (P10)', async () => {
    const below = join(home, 'a/b');
    mkdirSync(below, { recursive: true });
    using database = new DatabaseSync(join(home, '.pogo.db'));
    database.exec(
      "CREATE TABLE metadata (name TEXT, value TEXT); INSERT INTO metadata VALUES ('server', 'p.test:8080')",
    );
    const set = await token('set', 'EXAMPLE/EXAMPLE+EXAMPLE+EXAMPw==');
    expect(set.stderr).toBe(`keyhold: for pogo://p.test:8080 (Pogo), as ${join(home, '.pogo.db')} says\n`);
    expect(set.stdout).toContain('Stored a token for pogo://p.test:8080.');
    expect(await items()).toMatchObject([{ protocol: 'pogo', host: 'p.test:8080', service: 'pogo' }]);
  });

  test('refuses a file that speaks of a place where the service is not, and two that speak of two', async () => {
    mkdirSync(join(home, '.apkg'));
    writeFileSync(join(home, '.apkg/config.json'), '{"registry":"http://evil.example"}');
    expect((await token('set --service apkg --no-input --stdin', 'apkg_EXAMPLE')).stdout).not.toContain('evil');
    writeFileSync(join(home, '.pogo.yaml'), 'server: "p.test:8080"\n');
    writeFileSync(join(home, '.apkg/config.json'), '{"registry":"https://registry.example"}');
    const { code, stderr } = await token('set', 'x-EXAMPLE');
    expect(code).toBe(2);
    expect(stderr).toMatch(/this folder speaks of several: https:\/\/registry\.example .* pogo:\/\/p\.test:8080/);
  });

  test('refuses an unknown service, a kind that it has not, and a host that is not its own', async () => {
    expect((await token('set --service nobody', 'x-EXAMPLE')).code).toBe(4);
    const kind = await token(`set --for ${GITHUB} --kind nothing`, TOKEN);
    expect([kind.code, kind.stderr]).toEqual([2, expect.stringContaining('of kind "nothing": GitHub has ')]);
    const host = await token('set --for https://evil.example --service github', TOKEN);
    expect([host.code, host.stderr]).toEqual([2, expect.stringContaining('is no place of GitHub')]);
  });

  test('refuses a label that steers a terminal, and shows it escaped', async () => {
    const { code, stderr } = await token(`set --for ${GITHUB} --label evil\u202e\u001b[2J`, TOKEN);
    expect(code).toBe(2);
    expect(stderr).toContain('cannot take this label: it holds a character that steers a terminal');
    expect(stderr).not.toContain('\u202e');
    expect(stderr).not.toContain('\u001b');
  });

  test('keeps a kind that must not rest in memory only (P25)', async () => {
    const set = await token('set --for pogo://p.test:8080 --kind ci', 'EXAMPLE/EXAMPLE+EXAMPLE+EXAMPLE/EXAMPLE+EXA=');
    expect(set.stderr).toBe('');
    expect(set.stdout).toContain('held in memory only');
    expect(await items()).toMatchObject([{ kind: 'ci', memoryOnly: true }]);
  });

  test('refuses a token that was revoked, unless it is forced (D33)', async () => {
    await token(`set --for ${GITHUB} --label laptop`, TOKEN);
    await token('remove laptop --revoked --yes --reason it_was_lost');
    const { code, stderr } = await token(`set --for ${GITHUB} --label laptop`, TOKEN);
    expect(code).toBe(8);
    expect(stderr).toMatch(/this token was revoked on 20\d\d-\d\d-\d\d \(it was lost\); make a new one, or force it/);
    expect((await token(`set --for ${GITHUB} --label laptop --force`, TOKEN)).code).toBe(0);
  });
});

describe('the other verbs', () => {
  beforeEach(async () => {
    const keep = (...lines: string[]) =>
      exchange(agent.socket, ['action=store', 'capability[]=keyhold', 'protocol=https', ...lines]);
    await keep('host=github.com', 'label=laptop', `password=${TOKEN}`);
    await keep('host=github.com', 'label=laptop-old', `password=${OTHER}`);
    await keep('host=git.example', 'username=ada', `password=${TOKEN}`);
  });

  test('list shows a table for each service within 80 columns, and what holds the same value (K9, D10, D40)', async () => {
    const { stdout } = await token('list');
    expect(stdout).toMatch(
      /^GitHub at https:\/\/github\.com, 2 active\nLABEL +KIND +VALUE +CREATED +EXPIRES +LAST USED +USES\n/,
    );
    expect(stdout).toMatch(/^laptop +\S+ +ghp_…[0-9a-f]{6}= +2030-01-01$/m);
    expect(stdout).toMatch(/^laptop-old +\S+ +ghp_…[0-9a-f]{6} +/m);
    expect(stdout).toMatch(/^FOR +USERNAME +SINCE/m);
    expect(stdout).toContain('Those marked = hold one and the same value.');
    for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(80);
    expect(stdout).not.toMatch(/EXAMPLE|a{7}/);
    expect(stdout).not.toContain('\u001b');
  });

  test('list counts towards the limit of a service, without what is revoked (D14, D15, S28)', async () => {
    for (const label of ['one', 'two']) {
      await token(`set --service podstack --label ${label}`, `podstack_${label}-EXAMPLE`);
    }
    await token('remove two --revoked --yes');
    expect((await token('list')).stdout).toContain('Podstack at https://api.podstack.ai, 1/5 active');
    const { services } = JSON.parse((await token('list --json')).stdout);
    expect(services).toContainEqual({ id: 'podstack', title: 'Podstack', active: 1, limit: 5 });
  });

  test('list --user shows those of one, and --deleted what was revoked (D27)', async () => {
    expect(await items(' --user ada')).toMatchObject([{ host: 'git.example' }]);
    await token('remove laptop --revoked --yes --reason it_was_lost');
    expect(await items(' --deleted')).toMatchObject([{ label: 'laptop', reason: 'it was lost', service: 'github' }]);
    const { stdout } = await token('list --deleted');
    expect(stdout).toMatch(
      /^FOR +NAME +REVOKED +WHY\nhttps:\/\/github\.com +laptop +2030-01-01 +it was lost \(by .+\)\n$/,
    );
  });

  test('show tells everything that is known, and who used it; never the value (D52)', async () => {
    await token('print laptop');
    const { stdout } = await token('show laptop');
    expect(stdout).toMatch(/^for +https:\/\/github\.com\nlabel +laptop\n/);
    expect(stdout).toMatch(/^begins with +ghp_$/m);
    expect(stdout).toMatch(/^same value +ada$/m);
    expect(stdout).toMatch(/^used +1 times$/m);
    expect(stdout).not.toContain('EXAMPLE');
    const [{ id }] = (await items(' --user ada')) as [{ id: string }];
    expect(JSON.parse((await token(`show ${id.slice(0, 12)} --json`)).stdout)).toMatchObject({ id, username: 'ada' });
  });

  test('show tells of a revoked one when and why', async () => {
    await token('remove laptop --revoked --yes --reason it_was_lost');
    expect((await token('show laptop')).stdout).toMatch(/^revoked +2030-.*\nwhy +it was lost\nby +/m);
  });

  test('a word is an id or a label, whole or its beginning; what is ambiguous is refused with the candidates (K22)', async () => {
    expect((await token('print laptop')).stdout).toBe(`${TOKEN}\n`);
    expect((await token('print laptop-o')).stdout).toBe(`${OTHER}\n`);
    const { code, stderr, stdout } = await token('print lap');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /"lap" means 2 tokens: \S+ \(laptop, https:\/\/github\.com\), \S+ \(laptop-old, .*by its id\n$/,
    );
    expect(await token('print nobody\u202e')).toMatchObject({ code: 4, stderr: expect.stringContaining('\\u{202e}') });
    expect((await token('print')).code).toBe(2);
    expect((await token(`print laptop --for ${GITHUB}`)).code).toBe(2);
  });

  test('print means the one that was named, though another was stored later', async () => {
    await token('set --for https://git.example/team --username ada', 'later-EXAMPLE');
    const [{ id }] = (await items(' --user ada')) as [{ id: string }];
    expect((await token(`print ${id}`)).stdout).toBe(`${TOKEN}\n`);
  });

  test("rename gives another label, which may not be another's", async () => {
    expect((await token('rename laptop desktop')).stdout).toBe(
      'Renamed the token laptop for https://github.com: now desktop.\n',
    );
    expect((await token('print desktop')).stdout).toBe(`${TOKEN}\n`);
    const { code, stderr } = await token('rename desktop laptop-old');
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is one already: the token laptop-old')]);
    expect((await token('rename desktop bad\u202elabel')).code).toBe(2);
    expect((await token('rename nobody other')).code).toBe(4);
  });

  test('remove takes ids and labels, several, asks, and leaves no tombstone; its reason is in the history', async () => {
    expect((await token('remove laptop laptop-old')).code).toBe(6);
    expect(await items()).toHaveLength(3);
    const [{ id }] = (await items(' --user ada')) as [{ id: string }];
    const removed = await token(`remove laptop ${id.slice(0, 10)} --yes --reason leaving`);
    expect(removed.stdout).toMatch(/^Removed 2 tokens\./);
    expect((await items()).map(({ label }) => label)).toEqual(['laptop-old']);
    expect(await items(' --deleted')).toEqual([]);
    expect((await token(`set --for ${GITHUB} --label laptop`, TOKEN)).code).toBe(0);
    const audit = await keyhold(['audit', 'list', '--json', '--action', 'erase'], {
      home,
      environment: { KEYHOLD_SOCKET: agent.socket },
    });
    expect(JSON.parse(audit.stdout).items).toMatchObject([{ reason: 'leaving' }, { reason: 'leaving' }]);
  });

  test('history tells of one token what the audit log says, also when it is revoked (D37)', async () => {
    await token('remove laptop --revoked --yes --reason lost');
    const { stdout } = await token('history laptop');
    expect(stdout).toMatch(/^The history of the token laptop for https:\/\/github\.com:\nTIME/);
    expect(stdout).toMatch(/ bury +ok +laptop /);
    expect(stdout).toMatch(/ store +ok +laptop /);
    const { items: entries } = JSON.parse((await token('history laptop --json')).stdout);
    expect(entries[0]).toMatchObject({ action: 'bury', reason: 'lost' });
  });
});
