import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWayBack } from '../../client/cli/auth/way-back.ts';
import { type Asked, ok, type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { emptyHome, keyhold, startKeyhold } from './keyhold.ts';

const AT = ['--for', 'https://git.example', '--issuer', 'https://id.example', '--client-id', 'keyhold'];
const STATE = 'state-1';
const signedIn = ok([
  ['id', 'id-1'],
  ['refreshes', '1'],
]);
const item = { id: 'id-1', protocol: 'https', host: 'git.example', username: 'oauth2', storedAt: 1, refresh: 'ours' };

/** The agent's side of a login: `end` is what `authorized` is answered with. */
function agentFor(end: (asked: Asked) => ReturnType<typeof ok>, held: readonly object[] = [item]) {
  return startScriptedAgent({
    list: ok(held.map((one) => ['item[]', one])),
    authorize: ({ attributes }) =>
      attributes['way'] === 'browser'
        ? ok([
            ['login', 'h'],
            ['url', 'https://id.example/auth?x=1'],
            ['state', STATE],
            ['expires_in', '600'],
          ])
        : attributes['way'] === 'device'
          ? ok([
              ['login', 'h'],
              ['user_code', 'ABCD-EFGH'],
              ['url', 'https://id.example/device'],
              ['interval', '0'],
              ['expires_in', '600'],
            ])
          : signedIn,
    authorized: end,
  });
}

const last = (agent: ScriptedAgent, action: string) => agent.asked.findLast((one) => one.action === action)!.attributes;
const judged = ({ attributes: { state, error } }: Asked) => {
  if (state !== STATE) return { status: 'denied', message: 'cannot sign in: another login' } as const;
  return error === undefined ? signedIn : ({ status: 'denied', message: 'cannot sign in: no' } as const);
};
const backOf = (agent: ScriptedAgent) => String(last(agent, 'authorize')['redirect']);
const visit = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
};

describe('keyhold auth login --way browser', () => {
  let agent: ScriptedAgent;
  beforeAll(async () => {
    agent = await agentFor(judged);
  });
  afterAll(() => agent[Symbol.asyncDispose]());
  const begin = async (...more: string[]) => {
    const running = startKeyhold(['auth', 'login', '--way', 'browser', ...AT, ...more], agent);
    await running.said(/sign in on this page: (\S+)/);
    return running;
  };

  test('hands on what the browser brings; a second visit changes nothing', async () => {
    const held = Promise.withResolvers<void>();
    await using slow = await startScriptedAgent({
      list: ok([['item[]', item]]),
      authorize: ok([
        ['login', 'h'],
        ['url', 'https://id.example/auth'],
        ['state', STATE],
        ['expires_in', '600'],
      ]),
      authorized: async (asked) => {
        await held.promise;
        return judged(asked);
      },
    });
    const running = startKeyhold(['auth', 'login', '--way', 'browser', ...AT, '--json'], slow);
    expect((await running.said(/on this page: (\S+)/))[1]).toBe('https://id.example/auth');
    const back = backOf(slow);
    expect(back).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/back$/);
    // Neither an icon nor a page that knows this machine by another name ends the wait.
    expect((await visit(back.replace('/back', '/favicon.ico'))).status).toBe(404);
    expect((await visit(`${back.replace('127.0.0.1', 'localhost')}?code=x&state=${STATE}`)).status).toBe(404);
    const first = visit(`${back}?code=code-EXAMPLE&state=${STATE}&iss=https%3A%2F%2Fid.example`);
    await expect.poll(() => slow.asked.some(({ action }) => action === 'authorized')).toBe(true);
    expect(await visit(`${back}?code=other&state=${STATE}`)).toMatchObject({ status: 409 });
    held.resolve();
    expect(await first).toMatchObject({ status: 200, text: expect.stringContaining('You are signed in') });
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ signedIn: { id: 'id-1', refresh: 'ours' } });
    expect(`${stdout}${stderr}`).not.toContain('code-EXAMPLE');
    expect(slow.asked.filter(({ action }) => action === 'authorized')).toEqual([
      {
        action: 'authorized',
        attributes: { login: 'h', state: STATE, issuer: 'https://id.example', code: 'code-EXAMPLE' },
      },
    ]);
  });

  test('a wrong state is denied', async () => {
    const running = await begin();
    expect(await visit(`${backOf(agent)}?code=x&state=other`)).toMatchObject({ status: 400 });
    expect(await running.ended).toMatchObject({ code: 5, stderr: expect.stringContaining('another login') });
  });

  test('a no on the page is denied', async () => {
    const running = await begin();
    await visit(`${backOf(agent)}?error=access_denied&state=${STATE}`);
    expect(await running.ended).toMatchObject({ code: 5 });
    expect(last(agent, 'authorized')).toMatchObject({ error: 'access_denied', state: STATE });
  });

  test('a page that is closed ends with 6 when the time is over, and the agent forgets the login', async () => {
    const running = await begin('--timeout', '1');
    expect(await running.ended).toMatchObject({ code: 6, stderr: expect.stringContaining('nobody came back') });
    expect(last(agent, 'authorized')).toMatchObject({ error: 'expired_token', state: STATE });
  });

  test('a taken port is said, and nothing is begun', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const before = agent.asked.filter(({ action }) => action === 'authorize').length;
    const args = ['auth', 'login', '--way', 'browser', ...AT, '--redirect', `http://127.0.0.1:${port}/back`];
    const { code, stderr } = await keyhold(args, agent);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`port ${port} is taken`) });
    expect(agent.asked.filter(({ action }) => action === 'authorize')).toHaveLength(before);
    await new Promise((resolve) => taken.close(resolve));
  });

  test.each([
    'https://127.0.0.1/back',
    'http://git.example/back',
    'http://127.0.0.1/back?x=1',
    'http://ada@127.0.0.1/back',
    'http://127.0.0.1.git.example/back',
  ])('a way back to %s is none', async (redirect) => {
    await expect(openWayBack(redirect)).rejects.toMatchObject({ exitCode: 2 });
  });

  test('--no-input ends with 6 and the command for a terminal', async () => {
    const { code, stderr } = await keyhold(['auth', 'login', '--way', 'browser', ...AT, '--no-input'], agent);
    expect(code).toBe(6);
    expect(stderr).toContain(
      'run: keyhold auth login --way browser --for https://git.example --issuer https://id.example --client-id keyhold',
    );
  });
});

describe('keyhold auth login --way device', () => {
  const args = ['auth', 'login', '--way', 'device', ...AT];

  test('shows code and address, asks until the device is let in, and bears an outage', async () => {
    const answers = [
      ok([
        ['pending', '1'],
        ['interval', '0'],
      ]),
      { status: 'unavailable', message: 'cannot sign in: no answer' } as const,
      signedIn,
    ];
    await using agent = await agentFor(() => answers.shift()!);
    const { code, stdout, stderr } = await keyhold(args, agent);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'keyhold: enter the code ABCD-EFGH at https://id.example/device\n',
    });
    expect(stdout).toContain('Signed in.');
  });

  test('waits longer where the provider wants that', async () => {
    const at: number[] = [];
    await using agent = await agentFor(() => {
      at.push(performance.now());
      return at.length === 1
        ? ok([
            ['pending', '1'],
            ['interval', '1'],
          ])
        : signedIn;
    });
    expect((await keyhold(args, agent)).code).toBe(0);
    expect(at[1]! - at[0]!).toBeGreaterThan(950);
  });

  test.each([
    ['denied', 5],
    ['interaction-required', 6],
  ] as const)('%s ends it with %i', async (status, exitCode) => {
    await using agent = await agentFor(() => ({ status, message: `cannot sign in: ${status}` }));
    expect(await keyhold(args, agent)).toMatchObject({ code: exitCode, stdout: '' });
  });

  test('a code that nobody enters ends with 6 when the time is over', async () => {
    await using agent = await agentFor(({ attributes }) =>
      attributes['error'] === undefined
        ? ok([
            ['pending', '1'],
            ['interval', '2'],
          ])
        : signedIn,
    );
    const { code, stderr } = await keyhold([...args, '--timeout', '1'], agent);
    expect({ code, stderr }).toMatchObject({ code: 6, stderr: expect.stringContaining('nobody entered the code') });
    expect(last(agent, 'authorized')).toMatchObject({ error: 'expired_token' });
  });
});

describe('keyhold auth login --way client', () => {
  test('takes the secret from standard input, and sends it to the agent alone', async () => {
    await using agent = await agentFor(() => signedIn);
    const args = ['auth', 'login', '--way', 'client', ...AT, '--stdin', '--username', 'robot'];
    const { code, stdout, stderr } = await keyhold(args, { ...agent, input: 'client-secret-EXAMPLE\n' });
    expect(code).toBe(0);
    expect(`${stdout}${stderr}`).not.toContain('EXAMPLE');
    expect(last(agent, 'authorize')).toMatchObject({ way: 'client', password: 'client-secret-EXAMPLE' });
  });

  test('says that nobody can be asked for it', async () => {
    await using agent = await agentFor(() => signedIn);
    expect((await keyhold(['auth', 'login', '--way', 'client', ...AT], agent)).code).toBe(6);
  });
});

describe('keyhold auth login where a login is held already', () => {
  test('needs the place alone, and means a code where no page can be shown', async () => {
    await using agent = await agentFor(() => signedIn);
    const { code, stderr } = await keyhold(['auth', 'login', '--for', 'https://git.example'], agent);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('ABCD-EFGH') });
    expect(last(agent, 'authorize')).toEqual({ way: 'device', protocol: 'https', host: 'git.example' });
  });

  test('and of a place that nothing is known of it asks what is meant', async () => {
    await using agent = await agentFor(() => signedIn, []);
    expect((await keyhold(['auth', 'login', '--for', 'https://git.example'], agent)).code).toBe(2);
  });

  test('needs an agent', async () => {
    expect((await keyhold(['auth', 'login', ...AT], { home: emptyHome() })).code).toBe(10);
  });
});

describe('a login by OAuth whose place has a token that no login made', () => {
  const client = ['auth', 'login', '--way', 'client', ...AT, '--stdin'];
  const byHand = { id: 'id-9', protocol: 'https', host: 'git.example', username: 'oauth2', storedAt: 1, made: 'set' };
  const began = (agent: ScriptedAgent) => agent.asked.some(({ action }) => action === 'authorize');

  test('asks before the provider is asked, and ends with 6 where no person can be asked', async () => {
    await using agent = await agentFor(() => signedIn, [byHand]);
    const ended = await keyhold(client, { ...agent, input: 'client-secret-EXAMPLE\n' });
    expect(ended).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('Replace the token oauth2 for https://git.example'),
    });
    expect(began(agent)).toBe(false);
  });

  test.each([
    ['with --yes', [byHand], ['--yes']],
    ['under another username', [byHand], ['--username', 'robot']],
    ['in the place of an earlier login', [{ ...byHand, made: 'login' }], []],
  ])('is begun %s', async (_, held, more) => {
    await using agent = await agentFor(() => signedIn, [...held, { ...item, username: 'robot' }]);
    const ended = await keyhold([...client, ...more], { ...agent, input: 'client-secret-EXAMPLE\n' });
    expect(ended.code).toBe(0);
    expect(began(agent)).toBe(true);
  });
});
