import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { execute } from '../../execute.ts';
import { aHome, type BuiltAgent, DIST, startAgent } from '../../fakes/built-agent.ts';
import { startGitServer } from '../../fakes/git-server.ts';
import { openOidc, signInOn } from '../../fakes/oidc.ts';
import { countInMemory } from '../../memory-scan.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';

const git = need('git', 'apt-get install git');

type Oidc = Awaited<ReturnType<typeof openOidc>>;

const CAPABLE = 'capability[]=keyhold';
const valueIn = (answer: string, key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(answer)?.[1];

/** Signs in by device code, as a person does who types the code on another machine. Answers the credential's id. */
async function byDevice(agent: BuiltAgent, oidc: Oidc, host: string, protocol = 'https'): Promise<string> {
  const begun = await agent.ask(
    'action=authorize',
    CAPABLE,
    `protocol=${protocol}`,
    `host=${host}`,
    'way=device',
    `issuer=${oidc.issuer}`,
    'client_id=keyhold',
    'scopes=openid offline_access',
  );
  expect(begun).toContain('status=ok');
  const login = valueIn(begun, 'login');
  const code = valueIn(begun, 'user_code');
  const pending = await agent.ask('action=authorized', CAPABLE, `login=${login}`);
  expect(valueIn(pending, 'pending')).toBe('1');
  await signInOn(valueIn(begun, 'url_complete') ?? valueIn(begun, 'url')!, code);
  const done = await agent.ask('action=authorized', CAPABLE, `login=${login}`);
  expect(done).toContain('status=ok');
  expect(valueIn(done, 'refreshes')).toBe('1');
  return valueIn(done, 'id')!;
}

const passwordOf = async (agent: BuiltAgent, host: string, ...more: string[]) =>
  valueIn(await agent.ask('action=get', CAPABLE, 'protocol=https', `host=${host}`, ...more), 'password');

const aHost = () => `${randomBytes(6).toString('hex')}.invalid`;

describe('a provider whose tokens live for an hour', () => {
  let oidc: Oidc;
  beforeAll(async () => {
    oidc = await openOidc(3_600);
  });
  afterAll(() => oidc.close());

  test('lets a device in; the token is given out, the refresh token to nobody', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    await byDevice(agent, oidc, host);
    const answer = await agent.ask('action=get', CAPABLE, 'protocol=https', `host=${host}`);
    expect(oidc.isLive(valueIn(answer, 'password')!)).toBe(true);
    expect(answer).not.toContain('oauth_refresh_token');
  });

  test('is asked once by a person who wants a new token, and a restart keeps that', async () => {
    const home = aHome();
    const host = aHost();
    let last: string | undefined;
    {
      await using agent = await startAgent({ home });
      const id = await byDevice(agent, oidc, host);
      const first = await passwordOf(agent, host);
      const before = oidc.refreshes();
      expect(await agent.ask('action=refresh', CAPABLE, `id=${id}`)).toContain('status=ok');
      expect(oidc.refreshes()).toBe(before + 1);
      last = await passwordOf(agent, host);
      expect(last).not.toBe(first);
    }
    await using again = await startAgent({ home });
    expect(await passwordOf(again, host)).toBe(last);
  });

  test('is asked for a new token after a tool was refused; the login stays', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    await byDevice(agent, oidc, host);
    const first = await passwordOf(agent, host);
    const before = oidc.refreshes();
    const erase = ['action=erase', CAPABLE, 'protocol=https', `host=${host}`];
    expect(await agent.ask(...erase, `password=${first}`)).toContain('status=ok');
    const second = await passwordOf(agent, host);
    expect(oidc.isLive(second!)).toBe(true);
    expect(second).not.toBe(first);
    expect(oidc.refreshes()).toBe(before + 1);
    // git stores what it was given before: that is no news, and must not cost the login.
    await agent.ask('action=store', CAPABLE, 'protocol=https', `host=${host}`, 'username=oauth2', `password=${first}`);
    expect(await passwordOf(agent, host)).toBe(second);
  });

  test('says that a refresh token was used before: the login has ended, one command is named', async () => {
    const home = aHome();
    await using agent = await startAgent({ home });
    const host = aHost();
    const id = await byDevice(agent, oidc, host);
    // Somebody else uses the refresh token: the second use of it ends the family.
    const stolen = oidc.grantings.findLast(({ refresh }) => refresh !== undefined)!.refresh!;
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: stolen, client_id: 'keyhold' });
    expect((await fetch(`${oidc.issuer}/token`, { method: 'POST', body })).status).toBe(200);
    const refused = await agent.ask('action=refresh', CAPABLE, `id=${id}`);
    expect(refused).toContain('status=interaction-required');
    expect(refused).toContain(`keyhold auth login --for https://${host}`);
    const calls = oidc.refusals();
    expect(await agent.ask('action=status', CAPABLE)).toContain('login-ended');
    await agent.ask(
      'action=erase',
      CAPABLE,
      'protocol=https',
      `host=${host}`,
      `password=${await passwordOf(agent, host)}`,
    );
    expect(await agent.ask('action=status', CAPABLE)).not.toContain('login-ended');
    expect(oidc.refusals()).toBe(calls);
  });

  test('tells a browser by its state; a way back is good once', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    const begin = () =>
      agent.ask(
        'action=authorize',
        CAPABLE,
        'protocol=https',
        `host=${host}`,
        'way=browser',
        `issuer=${oidc.issuer}`,
        'client_id=keyhold',
        'scopes=openid offline_access',
        'redirect=http://127.0.0.1:34567/back',
      );
    const stray = await begin();
    const wrong = await agent.ask(
      'action=authorized',
      CAPABLE,
      `login=${valueIn(stray, 'login')}`,
      'code=x',
      'state=y',
    );
    expect(wrong).toContain('status=denied');
    const begun = await begin();
    const back = new URL(await signInOn(valueIn(begun, 'url')!));
    const ended = [
      'action=authorized',
      CAPABLE,
      `login=${valueIn(begun, 'login')}`,
      `code=${back.searchParams.get('code')}`,
      `state=${back.searchParams.get('state')}`,
      `issuer=${back.searchParams.get('iss') ?? ''}`,
    ];
    expect(await agent.ask(...ended)).toContain('status=ok');
    expect(await agent.ask(...ended)).toContain('status=not-found');
    expect(oidc.isLive((await passwordOf(agent, host))!)).toBe(true);
  });

  test('gives a client its tokens for its secret', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    const begun = await agent.ask(
      'action=authorize',
      CAPABLE,
      'protocol=https',
      `host=${host}`,
      'way=client',
      `issuer=${oidc.issuer}`,
      'client_id=robot',
      'password=robot-secret-EXAMPLE-0123456789abcdef',
    );
    expect(begun).toContain('status=ok');
    const first = await passwordOf(agent, host);
    expect(oidc.isLive(first!)).toBe(true);
    expect(await agent.ask('action=refresh', CAPABLE, `id=${valueIn(begun, 'id')}`)).toContain('status=ok');
    expect(await passwordOf(agent, host)).not.toBe(first);
  });

  test.skipIf(process.getuid!() !== 0)('leaves no readable refresh token in the agent', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    const id = await byDevice(agent, oidc, host);
    await agent.ask('action=refresh', CAPABLE, `id=${id}`);
    const refreshTokens = oidc.grantings.flatMap(({ refresh }) => (refresh ? [refresh] : [])).slice(-2);
    expect(refreshTokens).toHaveLength(2);
    const planted = `planted-${randomBytes(8).toString('hex')}.invalid`;
    await agent.ask('action=store', CAPABLE, 'protocol=https', `host=${planted}`, 'username=ada', 'password=x-EXAMPLE');
    const [control, ...found] = countInMemory(
      agent.pid,
      [planted, ...refreshTokens].map((text) => Buffer.from(text)),
    );
    expect(control).toBeGreaterThan(0);
    expect(found).toEqual([0, 0]);
  });
});

describe.skipIf(!git)('a provider whose tokens live for five seconds', () => {
  let oidc: Oidc;
  beforeAll(async () => {
    oidc = await openOidc(5);
  });
  afterAll(() => oidc.close());

  test('git comes in by a living token over whole expiries, and is never refused', async () => {
    const folder = temporaryFolder('oauth-git');
    onTestFinished(folder.remove);
    await using server = await startGitServer(folder.path);
    const url = await server.addRepository('work.git');
    server.accepts = oidc.isLive;
    await using agent = await startAgent({ home: aHome() });
    await byDevice(agent, oidc, server.host, 'http');
    const before = oidc.refreshes();
    const until = Date.now() + 12_000;
    const env = {
      PATH: process.env.PATH,
      HOME: folder.path,
      KEYHOLD_HOME: agent.home,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
    };
    const helper = `credential.helper=${DIST}/bin/git-credential-keyhold`;
    while (Date.now() < until) {
      await execute('git', ['-c', helper, '-c', 'credential.useHttpPath=false', 'ls-remote', url], { env });
      await sleep(150);
    }
    const came = server.requests.filter(({ password }) => password !== undefined);
    expect(came.length).toBeGreaterThan(5);
    expect(came.filter(({ status }) => status !== 200)).toEqual([]);
    expect(new Set(came.map(({ password }) => password)).size).toBeGreaterThanOrEqual(3);
    expect(oidc.refreshes() - before).toBeLessThanOrEqual(7);
    expect(oidc.refusals()).toBe(0);
  });

  test('many who ask at once for a token that is over are served by one call', async () => {
    await using agent = await startAgent({ home: aHome() });
    const host = aHost();
    await byDevice(agent, oidc, host);
    await sleep(5_300);
    const before = oidc.refreshes();
    const passwords = await Promise.all(Array.from({ length: 24 }, () => passwordOf(agent, host)));
    expect(new Set(passwords).size).toBe(1);
    expect(oidc.isLive(passwords[0]!)).toBe(true);
    expect(oidc.refreshes()).toBe(before + 1);
  });
});
