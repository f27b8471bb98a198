import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPogo, type Pogo } from '../../fakes/services/pogo.ts';
import { openRig, type Rig } from './rig.ts';

/** The commands of the seed document, each as its counterpart here. The service is as it is built in: no manifest of the test's. */
describe('pogo', () => {
  let server: Pogo;
  let rig: Rig;
  let url: string;
  let repository: string;
  const values: string[] = [];

  beforeAll(async () => {
    server = await openPogo();
    url = `pogo://${server.server}`;
    rig = await openRig('pogo');
    repository = join(rig.home, 'app');
    mkdirSync(join(repository, 'src'), { recursive: true });
    using database = new DatabaseSync(join(repository, '.pogo.db'));
    database.exec(
      `CREATE TABLE metadata (name TEXT, value TEXT); INSERT INTO metadata VALUES ('server', '${server.server}')`,
    );
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const mint = (user: string) => {
    const value = server.mint(user);
    values.push(value);
    return value;
  };
  /** What the server says to the token that keyhold gives for it. */
  const open = async (path = '/whoami') => {
    const got = await rig.run(['get'], { input: `protocol=pogo\nhost=${server.server}\n\n` });
    const value = /^password=(.*)$/m.exec(got.stdout)?.[1];
    if (value === undefined) return { code: got.code };
    const answer = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${value}` } });
    return { code: got.code, status: answer.status, text: await answer.text() };
  };

  test('pogo token: the commands of the group (P1)', async () => {
    const { stdout, stderr } = await rig.run(['token', '--help']);
    for (const verb of ['set', 'list', 'remove']) expect(stdout + stderr).toMatch(new RegExp(`^ +${verb} `, 'm'));
  });

  test('without a server and outside of a repository it is an error that tells where it looked (P11)', async () => {
    const { code, stderr } = await rig.run(['token', 'set'], { input: mint('nobody') });
    expect(code).toBe(2);
    expect(stderr).toContain('name it by --for URL');
    expect(stderr).toContain('.pogo.db');
    const removed = await rig.run(['token', 'remove', '--yes']);
    expect(removed).toMatchObject({ code: 2, stderr: expect.stringContaining('--for URL') });
    expect((await rig.run(['token', 'remove', '--yes', '--for', url])).code).toBe(4);
  });

  test('pogo token set, in a repository: kept for its server, and the server takes it (P2, P7, P10, P14)', async () => {
    const token = mint('ada');
    const set = await rig.run(['token', 'set'], { input: `${token}\n`, cwd: join(repository, 'src') });
    expect(set).toMatchObject({ code: 0, stderr: expect.stringContaining(`for ${url} (Pogo), as `) });
    expect(set.stdout).toContain(`Stored a token for ${url}.`);
    expect(await open()).toEqual({ code: 0, status: 200, text: '{"username":"ada"}' });
    expect((await open('/repository/app/archive/main')).status).toBe(200);
    expect((await open('/repository/other/archive/main')).status).toBe(404);
  });

  test('pogo token set --server: another port is another server (P2, P9)', async () => {
    await using other = await openPogo();
    const token = other.mint('ada');
    values.push(token);
    expect((await rig.run(['token', 'set', '--for', `pogo://${other.server}`], { input: token })).code).toBe(0);
    const { items } = await rig.json(['token', 'list']);
    // The list is in the order of URLs, and so of ports.
    const hosts = (items as unknown as { host: string }[]).map(({ host }) => host);
    expect(hosts.sort()).toEqual([server.server, other.server].sort());
    // Each opens its own server and not the other's.
    const printed = await rig.run(['token', 'print', '--for', `pogo://${other.server}`]);
    expect(printed.stdout).toBe(`${token}\n`);
    const whoami = async (base: string) =>
      (await fetch(`${base}/whoami`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await whoami(other.url), await whoami(server.url)]).toEqual([200, 401]);
    expect((await rig.run(['token', 'remove', '--for', `pogo://${other.server}`, '--yes'])).code).toBe(0);
  });

  test('a form that is no token of Pogo is refused before it is kept, and not repeated (P13, P24)', async () => {
    const wrong = `${mint('ada').slice(0, 20)}!?`;
    const { code, stderr, stdout } = await rig.run(['token', 'set', '--for', url], { input: wrong });
    expect(code).toBe(2);
    expect(stderr).toContain('it is no token of Pogo');
    expect(`${stdout}${stderr}`).not.toContain(wrong.slice(0, 8));
    expect((await open()).status).toBe(200);
  });

  test('nothing on standard input and no terminal: it says how to give a token (P22)', async () => {
    const { code, stderr } = await rig.run(['token', 'set', '--for', url]);
    expect(code).toBe(6);
    expect(stderr).toContain('give it on standard input');
  });

  test('a second one is an update, which is said (P12)', async () => {
    const set = await rig.run(['token', 'set', '--for', url, '--origin', 'the registration page'], {
      input: mint('ada'),
    });
    expect(set.stderr).toContain(`this replaces the token for ${url}`);
    expect(set.stdout).toContain('Updated the token for ');
    const { items } = await rig.json(['token', 'list']);
    expect(items).toMatchObject([{ origin: 'the registration page' }]);
  });

  test('two spellings of base64 are one token, here and there (P23)', async () => {
    const printed = (await rig.run(['token', 'print', '--for', url])).stdout.trim();
    const spelled = printed.replaceAll('-', '+').replaceAll('_', '/');
    const whoami = async (token: string) =>
      (await fetch(`${server.url}/whoami`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await whoami(spelled), await whoami(spelled.replace(/=+$/, ''))]).toEqual([200, 401]);
    await rig.run(['token', 'set', '--for', url, '--label', 'again'], { input: spelled });
    const { items } = await rig.json(['token', 'list']);
    const [one, other] = items as unknown as { fingerprint: string }[];
    expect(one!.fingerprint).toMatch(/^[0-9a-f]+$/);
    expect(other!.fingerprint).toBe(one!.fingerprint);
    expect((await rig.run(['token', 'list'])).stdout).toContain('hold one and the same value');
    await rig.json(['token', 'remove', 'again', '--yes']);
  });

  test('two accounts of one server and one of another: each is used, shown and removed alone (P2, P6, P15)', async () => {
    await using one = await openPogo();
    await using other = await openPogo();
    const [ada, grace, elsewhere] = [one.mint('ada'), one.mint('grace'), other.mint('ada')];
    const all = [ada, grace, elsewhere];
    values.push(...all);
    const [here, there] = [`pogo://${one.server}`, `pogo://${other.server}`];
    for (const [at, username, input] of [
      [here, 'ada', ada],
      [here, 'grace', grace],
      [there, 'ada', elsewhere],
    ] as const) {
      await rig.json(['token', 'set', '--for', at, '--username', username], { input });
    }
    const used = async ({ server: host }: Pogo, username?: string) => {
      const input = `protocol=pogo\nhost=${host}\n${username === undefined ? '' : `username=${username}\n`}\n`;
      return /^password=(.*)$/m.exec((await rig.run(['get'], { input })).stdout)?.[1];
    };
    expect([await used(one, 'ada'), await used(one, 'grace'), await used(other, 'ada')]).toEqual(all);
    // Which account is meant is not said: the one that was stored last.
    expect([await used(one), await used(other)]).toEqual([grace, elsewhere]);
    const whoami = async ({ url: base }: Pogo, token: string) =>
      (await fetch(`${base}/whoami`, { headers: { authorization: `Bearer ${token}` } })).text();
    expect([await whoami(one, ada), await whoami(one, grace)]).toEqual(['{"username":"ada"}', '{"username":"grace"}']);
    const { stdout } = await rig.run(['token', 'list', '--json']);
    expect(stdout.split(one.server)).toHaveLength(3);
    for (const value of all) expect(stdout).not.toContain(value.slice(0, 12));
    await rig.json(['token', 'remove', '--for', here, '--username', 'grace', '--yes']);
    expect([await used(one, 'ada'), await used(one, 'grace'), await used(other, 'ada')]).toEqual([
      ada,
      undefined,
      elsewhere,
    ]);
    expect(await used(one)).toBe(ada);
    for (const at of [here, there]) await rig.json(['token', 'remove', '--for', at, '--username', 'ada', '--yes']);
  });

  test('no call makes one: the person is told where it comes from, and pastes it (P19)', async () => {
    const made = await rig.run(['token', 'create', 'laptop', '--service', 'pogo', '--for', url], {
      input: mint('ada'),
    });
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining("registers on the server's web page") });
    expect((await rig.json(['token', 'show', 'laptop']))['origin']).toBe('made on its page');
    await rig.json(['token', 'remove', 'laptop', '--yes', '--reason', 'an old laptop']);
  });

  test('nothing lists, refreshes or revokes there; it says who can (P21)', async () => {
    const revoked = await rig.run(['token', 'revoke', '--yes', '--service', 'pogo', '--for', url, '--all']);
    expect(revoked.code).toBe(11);
    expect(`${revoked.stdout}${revoked.stderr}`.replace(/\s+/g, ' ')).toContain("only the server's administrator can");
    for (const verb of [
      ['token', 'list', '--remote'],
      ['auth', 'refresh'],
      ['auth', 'whoami'],
    ]) {
      const { code, stderr } = await rig.run([...verb, '--service', 'pogo', '--for', url]);
      expect([code, stderr]).toEqual([11, expect.stringContaining('Pogo')]);
    }
    expect((await open()).status).toBe(200);
    expect((await rig.json(['auth', 'status', '--service', 'pogo', '--for', url]))['accounts']).toMatchObject([
      { url },
    ]);
  });

  test("what the administrator dropped is the server's to refuse; nothing is lost here by that (P21)", async () => {
    const token = mint('grace');
    await rig.run(['token', 'set', '--for', url], { input: token });
    server.drop(token);
    expect(await open()).toMatchObject({ code: 0, status: 401 });
    expect((await rig.json(['token', 'list']))['items']).toHaveLength(1);
  });

  test('pogo token remove, in a repository: asks, and what is refused changes nothing (P15, P16, P20)', async () => {
    const asked = await rig.run(['token', 'remove'], { cwd: repository });
    expect(asked).toMatchObject({ code: 6, stderr: expect.stringContaining('--yes') });
    expect((await open()).code).toBe(0);
    const removed = await rig.run(['token', 'remove', '--yes', '--reason', 'leaving the team'], { cwd: repository });
    expect(removed.stdout).toContain(`Removed the token for ${url}.`);
    const { items } = await rig.json(['audit', 'list', '--limit', '5']);
    expect(JSON.stringify(items)).toContain('leaving the team');
  });

  test('afterwards the server wants a new login, and a second removal finds nothing (P17, P18)', async () => {
    expect(await open()).toEqual({ code: 4 });
    const again = await rig.run(['token', 'remove', '--for', url, '--yes']);
    expect(again).toMatchObject({ code: 4, stderr: expect.stringContaining('nothing is held for') });
  });

  test('a token for CI is held in memory, for an hour and one repository (P25)', async () => {
    const token = server.mintForCi('app');
    values.push(token);
    await rig.json(['token', 'set', '--for', url, '--kind', 'ci'], { input: token });
    const { items } = await rig.json(['token', 'list']);
    expect(items).toMatchObject([{ kind: 'ci', memoryOnly: true }]);
    expect((await open('/repository/app/archive/main')).status).toBe(200);
    // It is not written anywhere: another start of the agent does not know it.
    expect((await rig.run(['lock'])).code).toBe(0);
    expect((await rig.run(['unlock'])).code).toBe(0);
    expect(await open()).toEqual({ code: 4 });
  });

  test('a repository that names its server in a file of text is understood as well (P10)', async () => {
    const elsewhere = join(rig.home, 'other');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, '.pogo.yaml'), `server: "${server.server}"\n`);
    const set = await rig.run(['token', 'set'], { input: mint('ada'), cwd: elsewhere });
    expect(set.stdout).toContain(`Stored a token for ${url}.`);
  });

  test('no token travelled in a URL or a cookie, and none was printed but by print and get (P24, P27)', async () => {
    expect(server.careless()).toBe(0);
    const audited = JSON.stringify(await rig.json(['audit', 'list', '--limit', '500']));
    for (const value of values) expect(`${rig.agent.log()}${audited}`).not.toContain(value.slice(0, 12));
  });
});
