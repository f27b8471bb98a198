import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { type BuiltAgent, get, open, startAgent, status } from '../../fakes/built-agent.ts';
import { openTokenServer, type TokenServer } from '../../fakes/token-server.ts';
import { homeWithLogins, hostOf, restingIn } from '../../faults/refresh/logins.ts';

const manage = (action: string) => [`action=${action}`, 'capability[]=keyhold'];
/** Milliseconds that the provider takes: more than connections get to end, less than a service may take. */
const SLOW = 4_000;

/** A home with one login that is over, at a provider that takes its time; and an agent whose refresh of it is out. */
async function withRefreshOut(): Promise<{ agent: BuiltAgent; server: TokenServer; home: string }> {
  const server = await openTokenServer();
  const home = await homeWithLogins(server, ['one']);
  onTestFinished(() => {
    server.close();
    home.remove();
  });
  const spent = Promise.withResolvers<void>();
  server.hooks.spent = () => {
    spent.resolve();
    return sleep(SLOW);
  };
  const agent = await startAgent({ home: home.path });
  // A client that leaves: nothing waits for the answer.
  const client = await open(agent.socket);
  client.write(`${get(hostOf('one')).join('\n')}\n\n`);
  await spent.promise;
  client.destroy();
  return { agent, server, home: home.path };
}

/** Nothing is unknown, and the next agent serves what the provider gave, without another refresh. */
async function expectKept(server: TokenServer, home: string, agent?: BuiltAgent): Promise<void> {
  await using next = agent ?? (await startAgent({ home }));
  expect(await next.ask(...status)).not.toContain('refresh-unknown');
  expect(await next.ask(...get(hostOf('one')))).toContain(`password=${server.families.get('one')!.access}\n`);
  expect(server.families.get('one')).toMatchObject({ spent: 1, reused: 0 });
}

it.each(['SIGTERM', 'stop'])(
  '%s waits for a refresh that is out, also when nobody waits for its answer',
  async (how) => {
    const { agent, server, home } = await withRefreshOut();
    if (how === 'SIGTERM') agent.kill('SIGTERM');
    // Who stops it hears how long that may take.
    else expect(await agent.ask(...manage('stop'))).toMatch(/^status=ok\nwithin=[1-9]\d\n$/);
    expect(await agent.ended).toBe(0);
    expect(await restingIn(home)).toMatchObject([{ refresh: server.families.get('one')!.refresh, isUnknown: false }]);
    await expectKept(server, home);
  },
);

it('restart does so, too, and the next agent goes on with what the provider gave', async () => {
  const { agent, server, home } = await withRefreshOut();
  expect(await agent.ask(...manage('restart'))).toMatch(/^status=ok\nwithin=[1-9]\d\n$/);
  expect(await agent.ended).toBe(0);
  await expect.poll(() => agent.ask(...status), { timeout: 20_000 }).toMatch(/^status=ok/);
  const pid = Number(/^pid=(\d+)$/m.exec(await agent.ask(...status))![1]);
  onTestFinished(() => void process.kill(pid, 'SIGKILL'));
  await expectKept(server, home, { ...agent, [Symbol.asyncDispose]: async () => {} });
});

it('a refresh that was cut off by a kill is told with the way to sign in again, never with another try', async () => {
  const { agent, server, home } = await withRefreshOut();
  agent.kill('SIGKILL');
  await agent.ended;
  await using next = await startAgent({ home });
  const said = [await next.ask(...status), await next.ask(...get(hostOf('one')))].join('');
  expect(said).toContain('refresh-unknown');
  expect(said).toContain('keyhold auth login');
  expect(said).not.toContain('token refresh');
  expect(server.families.get('one')).toMatchObject({ spent: 1, reused: 0 });
});
