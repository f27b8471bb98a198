import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { watch } from '../../../client/watch.ts';
import type { KeyholdEvent } from '../../../protocol/events.ts';
import { keyhold, type Running, runProgram, startKeyhold } from '../../client/keyhold.ts';
import { execute } from '../../execute.ts';
import { type BuiltAgent, configure, DIST, open, startAgent, status } from '../../fakes/built-agent.ts';
import { startGitServer } from '../../fakes/git-server.ts';
import { openOidc, signInOn } from '../../fakes/oidc.ts';
import { scanMemory } from '../../fakes/scan-memory.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { openBrowser, signInWith } from './browser.ts';

const git = need('git', 'apt-get install git');
const hasChromium = need('chromium', 'apt-get install --no-install-recommends chromium');
const isRoot = process.getuid!() === 0;

type Oidc = Awaited<ReturnType<typeof openOidc>>;

const CAPABLE = 'capability[]=keyhold';
const valueIn = (answer: string, key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(answer)?.[1];
const aPlace = () => `https://${randomBytes(6).toString('hex')}.invalid`;

/** One provider, one agent and one person for all that follows; what each test signs in to is its own. */
let oidc: Oidc;
let home: string;
let agent: BuiltAgent;
let remove: () => void;

beforeAll(async () => {
  const folder = temporaryFolder('oauth');
  ({ path: home, remove } = folder);
  configure(home, { backend: 'vault' });
  [oidc, agent] = await Promise.all([openOidc(3_600), startAgent({ home })]);
});
afterAll(async () => {
  oidc.close();
  await agent[Symbol.asyncDispose]();
  remove();
});

const run = (...args: string[]) => keyhold(args, { home });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

function beginLogin(way: 'device' | 'browser', place: string, client = 'keyhold', ...more: string[]): Running {
  const provider = ['--issuer', oidc.issuer, '--client-id', client, '--scopes', 'openid offline_access'];
  return startKeyhold(['auth', 'login', '--way', way, '--for', place, ...provider, ...more, '--json'], { home });
}

/** Signs in by a code, which a person enters on another machine. Answers the credential's id. */
async function byDevice(place: string, client?: string): Promise<string> {
  const login = beginLogin('device', place, client);
  const [, code, page] = await login.said(/enter the code (\S+) at .* or go to (\S+)/);
  await signInOn(page!, code);
  const { code: exitCode, stdout } = await login.ended;
  expect(exitCode).toBe(0);
  const { signedIn } = JSON.parse(stdout);
  expect(signedIn.refresh).toBe('ours');
  return signedIn.id;
}

/** Uses the refresh token that was given out last, as a thief would: the family ends when its owner uses it. */
async function endsElsewhere(): Promise<void> {
  const stolen = oidc.grantings.findLast(({ refresh }) => refresh !== undefined)!.refresh!;
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: stolen, client_id: 'keyhold' });
  expect((await fetch(`${oidc.issuer}/token`, { method: 'POST', body })).status).toBe(200);
}

async function passwordAt(place: string): Promise<string | undefined> {
  const [protocol, host] = place.split('://');
  return valueIn(await agent.ask('action=get', CAPABLE, `protocol=${protocol}`, `host=${host}`), 'password');
}

/** What a tool does that was refused with a token. */
const eraseAt = async (place: string) =>
  agent.ask('action=erase', CAPABLE, 'protocol=https', `host=${place.slice(8)}`, `password=${await passwordAt(place)}`);

describe('a login by a code', () => {
  const place = aPlace();
  let id: string;
  beforeAll(async () => {
    id = await byDevice(place);
  });

  test('gives tools the access token, and no program the refresh token', async () => {
    const answer = await agent.ask('action=get', CAPABLE, 'protocol=https', `host=${place.slice(8)}`);
    expect(oidc.isLive(valueIn(answer, 'password')!)).toBe(true);
    expect(answer).not.toContain('oauth_refresh_token');
    expect((await run('auth', 'status', '--for', place)).stdout).toContain(place);
  });

  test('is refreshed by one call, and the provider knows the new token (RFC 7662)', async () => {
    const first = await passwordAt(place);
    const before = oidc.refreshes();
    expect((await json('auth', 'refresh', '--for', place)).refreshed).toBe(id);
    expect(oidc.refreshes()).toBe(before + 1);
    expect(await passwordAt(place)).not.toBe(first);
    const { remote } = await json('auth', 'token-info', '--for', place);
    expect(remote.introspect).toMatchObject({ active: true, user: 'ada', scopes: ['openid', 'offline_access'] });
    expect((await run('auth', 'whoami', '--for', place)).stdout).toBe('ada\n');
  });

  test('outlives the refusal of a tool; many who ask then are served by one call', async () => {
    const first = await passwordAt(place);
    const before = oidc.refreshes();
    expect(await eraseAt(place)).toContain('status=ok');
    const passwords = await Promise.all(Array.from({ length: 24 }, () => passwordAt(place)));
    expect(new Set(passwords).size).toBe(1);
    expect(oidc.isLive(passwords[0]!)).toBe(true);
    expect(oidc.refreshes()).toBe(before + 1);
    // git stores what it was given before: that is no news, and must not cost the login.
    const stored = ['protocol=https', `host=${place.slice(8)}`, 'username=oauth2', `password=${first}`];
    await agent.ask('action=store', CAPABLE, ...stored);
    expect(await passwordAt(place)).toBe(passwords[0]);
  });

  test('outlives the agent', async () => {
    const last = await passwordAt(place);
    await agent[Symbol.asyncDispose]();
    agent = await startAgent({ home });
    expect(await passwordAt(place)).toBe(last);
  });

  test('ends at its provider when the person signs out (RFC 7009), which introspection shows', async () => {
    const token = (await passwordAt(place))!;
    const out = await json('auth', 'logout', '--for', place, '--yes');
    expect(out).toMatchObject({ revoked: true, removed: true });
    const body = new URLSearchParams({ token, client_id: 'keyhold' });
    const said = await fetch(`${oidc.issuer}/token/introspection`, { method: 'POST', body });
    expect(await said.json()).toEqual({ active: false });
    expect((await run('auth', 'status', '--for', place)).code).not.toBe(0);
  });
});

test('a token of a login is revoked there, and a probe shows that it is dead', async () => {
  const place = aPlace();
  const id = await byDevice(place);
  const { results } = await json('token', 'revoke', id, '--yes');
  expect(results).toMatchObject([{ exitCode: 0, upstream: 'revoked', probe: 'dead' }]);
});

test('a provider that does not answer ends no login', async () => {
  const place = aPlace();
  const other = await openOidc(3_600);
  onTestFinished(() => {
    other.close();
  });
  const args = ['--way', 'client', '--for', place, '--issuer', other.issuer, '--client-id', 'robot', '--stdin'];
  const input = 'robot-secret-EXAMPLE-0123456789abcdef\n';
  expect((await keyhold(['auth', 'login', ...args], { home, input })).code).toBe(0);
  other.close();
  await expect.poll(() => fetch(other.issuer).catch(() => 'gone')).toBe('gone');
  const out = await run('auth', 'revoke', '--for', place, '--yes');
  expect(out.code).toBe(10);
  expect(await passwordAt(place)).toBeDefined();
});

test('a refresh token that was used elsewhere ends the login: that is told, and one command is named', async () => {
  const place = aPlace();
  await byDevice(place);
  await endsElsewhere();
  const refused = await run('auth', 'refresh', '--for', place);
  expect(refused).toMatchObject({ code: 6, stderr: expect.stringContaining(`keyhold auth login --for ${place}`) });
  const calls = oidc.refusals();
  expect((await run('status')).stdout).toContain('a login has ended');
  // The command that was named is enough: who lets in is known from before.
  const again = startKeyhold(['auth', 'login', '--for', place], { home });
  const [, code, page] = await again.said(/enter the code (\S+) at .* or go to (\S+)/);
  await signInOn(page!, code);
  expect((await again.ended).code).toBe(0);
  expect((await run('status')).stdout).not.toContain('a login has ended');
  expect(oidc.refusals()).toBe(calls);
});

test('ten programs wait for a login: a person is wanted once, and one login serves them all', async () => {
  const place = aPlace();
  const id = await byDevice(place);
  await endsElsewhere();
  expect((await run('auth', 'refresh', '--for', place)).code).toBe(6);
  await eraseAt(place);
  const heard: KeyholdEvent[] = [];
  const stop = new AbortController();
  const over = (async () => {
    for await (const event of watch({ socket: `${home}/run/events.sock`, signal: stop.signal })) heard.push(event);
  })();
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  const connections = async () => Number(valueIn(await agent.ask(...status), 'connections'));
  const before = await connections();
  const lines = (...more: string[]) =>
    ['protocol=https', `host=${place.slice(8)}`, ...more].map((line) => `${line}\n`).join('');
  const helper = (input: string) => runProgram(join(DIST, 'bin/keyhold-helper'), ['get'], { home, input });
  const command = `run: keyhold auth login --for ${place}`;
  const nobody = await helper(lines('wait=100', 'interactive=0'));
  expect(nobody).toMatchObject({ code: 6, stdout: expect.stringContaining(command) });
  const brief = helper(lines('wait=1'));
  const waiting = Array.from({ length: 10 }, () => helper(lines('wait=100')));
  expect(await brief).toMatchObject({ code: 6, stdout: expect.stringContaining(command) });
  await expect.poll(connections).toBe(before + 10);
  const login = startKeyhold(['auth', 'login', '--for', place], { home });
  const [, code, page] = await login.said(/enter the code (\S+) at .* or go to (\S+)/);
  await signInOn(page!, code);
  expect((await login.ended).code).toBe(0);
  const token = await passwordAt(place);
  expect(oidc.isLive(token!)).toBe(true);
  for (const { code, stdout } of await Promise.all(waiting))
    expect({ code, password: valueIn(stdout, 'password') }).toEqual({ code: 0, password: token });
  const named = () => heard.map((one) => [one.event, 'id' in one && one.id === id]);
  await expect.poll(named).toContainEqual(['stored', false]);
  stop.abort();
  await over;
  expect(named().filter(([event]) => event === 'wanted')).toEqual([['wanted', true]]);
});

test('a login of another account asks which of the two stays; the other one is ended at the provider', async () => {
  const place = aPlace();
  const byAccount = async (account: string, ...more: string[]) => {
    const login = beginLogin('device', place, 'keyhold', ...more);
    const [, code, page] = await login.said(/enter the code (\S+) at .* or go to (\S+)/);
    await signInOn(page!, code, account);
    return login.ended;
  };
  expect((await byAccount('ada')).code).toBe(0);
  const ofAda = await passwordAt(place);
  const refused = await byAccount('grace');
  expect(refused.code).toBe(6);
  expect(JSON.parse(refused.stdout).error.message).toContain(
    `Replace the token oauth2 for ${place} of ada? The new login is of the account grace. (--username NAME keeps both)`,
  );
  expect(await passwordAt(place)).toBe(ofAda);
  const isTaken = async (token: string) =>
    (await fetch(`${oidc.issuer}/me`, { headers: { authorization: `Bearer ${token}` } })).ok;
  expect(await isTaken(ofAda!)).toBe(true);
  expect(await isTaken(oidc.grantings.at(-1)!.access!)).toBe(false);
  expect((await byAccount('ada')).code).toBe(0); // the same account again: nothing to ask
  expect((await byAccount('grace', '--yes')).code).toBe(0);
  expect((await run('auth', 'whoami', '--for', place)).stdout).toBe('grace\n');
  expect((await byAccount('ada', '--username', 'ada')).code).toBe(0); // beside the other one
});

test("a client's own secret brings tokens, by standard input", async () => {
  const place = aPlace();
  const args = ['auth', 'login', '--way', 'client', '--for', place, '--issuer', oidc.issuer, '--client-id', 'robot'];
  const input = 'robot-secret-EXAMPLE-0123456789abcdef\n';
  const { code, stdout, stderr } = await keyhold([...args, '--stdin'], { home, input });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toContain('EXAMPLE');
  const first = await passwordAt(place);
  expect(oidc.isLive(first!)).toBe(true);
  expect((await run('auth', 'refresh', '--for', place)).code).toBe(0);
  expect(await passwordAt(place)).not.toBe(first);
});

describe.skipIf(!hasChromium)('a login by a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  test('goes through the page of the provider, with PKCE, and back', async () => {
    const place = aPlace();
    const login = beginLogin('browser', place);
    const [, url] = await login.said(/sign in on this page: (\S+)/);
    expect(new URL(url!).searchParams.get('code_challenge_method')).toBe('S256');
    expect(await signInWith(browser, url!, /You are (not )?signed in/)).toContain('You are signed in');
    const { code, stdout, stderr } = await login.ended;
    expect(code).toBe(0);
    const token = (await passwordAt(place))!;
    expect(oidc.isLive(token)).toBe(true);
    const { refresh } = oidc.grantings.findLast(({ granted }) => granted === 'authorization_code')!;
    for (const secret of [token, refresh!]) expect(`${stdout}${stderr}`).not.toContain(secret);
  });
});

describe.skipIf(!isRoot)('memory', () => {
  test('holds no readable refresh token in the agent, and no token at all in the process of events', async () => {
    const place = aPlace();
    const listener = await open(`${home}/run/events.sock`);
    onTestFinished(() => {
      listener.destroy();
    });
    await byDevice(place);
    expect((await run('auth', 'refresh', '--for', place)).code).toBe(0);
    expect(await passwordAt(place)).toBeDefined();
    const mine = oidc.grantings.slice(-2);
    /** Which of the texts a process holds in a form that can be read: plain, UTF-16, base64, hex. */
    const found = (pid: number, texts: readonly string[]) =>
      texts.flatMap((text) => Object.entries(scanMemory(pid, text)).filter(([, count]) => count > 0));
    // What stands beside the tokens and is no secret is found: the scan can see.
    expect(found(agent.pid, [place.slice(8)])).not.toEqual([]);
    expect(
      found(
        agent.pid,
        mine.map(({ refresh }) => refresh!),
      ),
    ).toEqual([]);
    const [events] = childrenOf(agent.pid).filter(({ program }) => program.includes('events'));
    // Its own control: what it was started with is found.
    expect(found(events!.pid, [`${home}/run/events.sock`])).not.toEqual([]);
    expect(
      found(
        events!.pid,
        mine.flatMap(({ access, refresh }) => [access!, refresh!]),
      ),
    ).toEqual([]);
  });
});

function childrenOf(parent: number) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const program = readFileSync(`/proc/${name}/cmdline`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
          ? [{ pid: Number(name), program }]
          : [];
      } catch {
        return [];
      }
    });
}

describe.skipIf(!git)('git, with tokens that live for eight seconds', () => {
  test('comes in by a living one over a whole expiry, and is never refused', async () => {
    const folder = temporaryFolder('oauth-git');
    onTestFinished(folder.remove);
    await using server = await startGitServer(folder.path);
    const url = await server.addRepository('work.git');
    // What lived when git first brought it is good for the rest of that run, however slow the machine is.
    const admitted = new Set<string>();
    server.accepts = (token) => admitted.has(token) || (oidc.isLive(token) && Boolean(admitted.add(token)));
    await byDevice(server.url, 'brief');
    const first = (await passwordAt(server.url))!;
    const [before, refusals] = [oidc.refreshes(), oidc.refusals()];
    const env = {
      PATH: process.env.PATH,
      HOME: folder.path,
      KEYHOLD_HOME: home,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
    };
    const helper = `credential.helper=${DIST}/bin/git-credential-keyhold`;
    const visit = () => {
      admitted.clear();
      return execute('git', ['-c', helper, '-c', 'credential.useHttpPath=false', 'ls-remote', url], { env });
    };
    for (const deadline = Date.now() + 30_000; oidc.isLive(first) && Date.now() < deadline; await sleep(250))
      await visit();
    expect(oidc.isLive(first)).toBe(false);
    await visit();
    const came = server.requests.filter(({ password }) => password !== undefined);
    expect(came.filter(({ status }) => status !== 200)).toEqual([]);
    const tokens = new Set(came.map(({ password }) => password));
    expect(tokens.size).toBeGreaterThanOrEqual(2);
    expect(tokens.has(first)).toBe(true);
    expect(oidc.refreshes() - before).toBeLessThanOrEqual(tokens.size + 1);
    expect(oidc.refusals()).toBe(refusals);
  });
});
