import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openComposed } from '../../fakes/composed-agent.ts';
import { type Ended, emptyHome, keyhold } from '../keyhold.ts';

const GITHUB = 'https://github.com';
const TOKEN = `ghp_${'a'.repeat(29)}EXAMPLE`;

let agent: Awaited<ReturnType<typeof openComposed>>;
let home: string;
beforeEach(async () => {
  agent = await openComposed();
  home = emptyHome();
});
afterEach(() => agent.dispose());

function token(args: readonly string[], input?: string): Promise<Ended> {
  const environment = { KEYHOLD_SOCKET: agent.socket };
  return keyhold(['token', ...args], { home, environment, ...(input === undefined ? {} : { input }) });
}

async function items(): Promise<Record<string, unknown>[]> {
  return JSON.parse((await token(['list', '--json'])).stdout).items;
}

describe('token set --id', () => {
  test("notes the service's own id of the token that it keeps, and another value drops it", async () => {
    const set = ['set', '--for', GITHUB, '--username', 'ada', '--no-verify'];
    expect((await token([...set, '--id', 'id-7'], TOKEN)).code).toBe(0);
    expect(await items()).toMatchObject([{ username: 'ada', tokenId: 'id-7' }]);
    await token(set, TOKEN.replace('aaa', 'bbb'));
    const [item] = await items();
    expect(item).not.toHaveProperty('tokenId');
  });

  test('names the token for the verbs that take one', async () => {
    await token(['set', '--for', GITHUB, '--username', 'ada', '--no-verify', '--id', 'id-7'], TOKEN);
    expect((await token(['print', 'id-7'])).stdout).toBe(`${TOKEN}\n`);
  });
});

describe('token set --held', () => {
  test('notes an id of a token that is held without asking for its value, which stays', async () => {
    await token(['set', '--for', GITHUB, '--username', 'ada', '--no-verify'], TOKEN);
    const [{ id }] = (await items()) as [{ id: string }];
    const noted = await token(['set', '--held', id, '--id', 'id-7', '--no-input']);
    expect(noted).toMatchObject({
      code: 0,
      stdout: 'Noted of the token ada for https://github.com; its value is the same.\n',
    });
    expect(await items()).toMatchObject([{ id, username: 'ada', tokenId: 'id-7' }]);
    expect((await token(['print', id])).stdout).toBe(`${TOKEN}\n`);
    const { stdout } = await token(['set', '--held', id, '--account', 'ada', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ updated: true, stored: { host: 'github.com', username: 'ada' } });
  });

  test.each([
    [['--held', 'ada', '--for', GITHUB, '--id', 'x'], 2, '--for, --username, --stdin and --fd mean nothing with it'],
    [['--held', 'ada'], 2, 'say what is to be noted'],
    [['--held', 'nobody', '--id', 'x'], 4, 'cannot find the token "nobody"'],
  ])('%j ends with %i and says why', async (args, code, why) => {
    await token(['set', '--for', GITHUB, '--username', 'ada', '--no-verify'], TOKEN);
    const ended = await token(['set', ...args]);
    expect(ended).toMatchObject({ code, stderr: expect.stringContaining(why) });
  });
});
