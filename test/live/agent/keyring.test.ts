import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aHome, configure, get, open, startAgent, status, store } from '../../fakes/built-agent.ts';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { needKeyring } from '../keyring/need.ts';

const manage = (action: string, ...more: string[]) => [`action=${action}`, 'capability[]=keyhold', ...more];

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  return [await work, performance.now() - begun];
}

/** An answer to a client that is connected already, and the milliseconds that it took. */
async function timedAnswer(path: string, lines: readonly string[]): Promise<[string, number]> {
  const socket = await open(path);
  try {
    socket.setEncoding('latin1');
    const answered = once(socket, 'data', { signal: AbortSignal.timeout(10_000) }) as Promise<[string]>;
    socket.write(`${lines.join('\n')}\n\n`);
    const [[answer], milliseconds] = await timed(answered);
    return [answer, milliseconds];
  } finally {
    socket.destroy();
  }
}

/** Bounds of wall time on a machine that may do something else at the same moment. */
const BUSY = { retry: 2 };

describe.skipIf(!needKeyring())('the agent on a real keyring', () => {
  it('serves what is in memory while the keyring is frozen, and answers the rest within a second', BUSY, async () => {
    await using session = await startKeyringSession();
    await using first = await startAgent({ home: aHome('auto'), environment: session.env });
    expect(await first.ask(...status)).toMatch(/^backend=keyring$/m);
    await first.ask(...store('cold.test', 'cold-EXAMPLE'));
    await first.ask(...store('warm.test', 'warm-EXAMPLE'));
    first.kill('SIGTERM');
    await first.ended;

    await using agent = await startAgent({ home: first.home, environment: session.env });
    expect(await agent.ask(...get('warm.test'))).toContain('password=warm-EXAMPLE');
    session.freeze();
    const times = [];
    for (let time = 0; time < 9; time++) {
      const [answer, milliseconds] = await timed(agent.ask(...get('warm.test')));
      expect(answer).toContain('password=warm-EXAMPLE');
      times.push(milliseconds);
    }
    expect(times.sort((one, other) => one - other)[4]!).toBeLessThan(50);
    const [cold, coldTime] = await timedAnswer(agent.socket, get('cold.test'));
    expect(cold).toMatch(/^status=unavailable$/m);
    expect(coldTime).toBeLessThan(1_000);
    expect(await agent.ask(...store('new.test', 'new-EXAMPLE'))).toMatch(/^status=unavailable$/m);
    expect(await agent.ask(...status)).toContain('keyring-hung');
    session.thaw();
    await expect
      .poll(() => agent.ask(...get('cold.test')), { timeout: 15_000, interval: 500 })
      .toContain('password=cold-EXAMPLE');
    expect(await agent.ask(...get('new.test'))).toMatch(/^status=not-found$/m);
  });

  it('survives the keyring’s end, and finds it again', async () => {
    await using session = await startKeyringSession();
    await using agent = await startAgent({ home: aHome('keyring'), environment: session.env });
    await agent.ask(...store('a.test', 'pass-EXAMPLE'));
    await session.kill();
    expect(await agent.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
    expect(await agent.ask(...store('b.test', 'b-EXAMPLE'))).toMatch(/^status=(unavailable|locked)$/m);
    await session.start();
    await expect
      .poll(() => agent.ask(...store('b.test', 'b-EXAMPLE')), { timeout: 15_000, interval: 500 })
      .toBe('status=ok\n');
  });

  it('keeps the key of a vault, which then has none beside it and opens with the keyring', async () => {
    await using session = await startKeyringSession();
    const home = aHome('vault');
    await using first = await startAgent({ home, environment: session.env });
    await first.ask(...store('a.test', 'pass-EXAMPLE'));
    expect(await first.ask(...status)).toContain('key-beside-vault');
    expect(await first.ask(...manage('backend-passphrase', 'key=keyring'))).toBe('status=ok\n');
    // For a day the change can be undone, unless it is made final.
    expect(existsSync(`${home}/state/vault.key`)).toBe(true);
    expect(await first.ask(...manage('backend-undo', 'drop=1'))).toBe('status=ok\n');
    expect(existsSync(`${home}/state/vault.key`)).toBe(false);
    expect(await first.ask(...status)).not.toContain('key-beside-vault');
    first.kill('SIGKILL');
    await first.ended;
    await using agent = await startAgent({ home, environment: session.env });
    expect(await agent.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
    expect(await agent.ask(...manage('backend-passphrase', 'key=nowhere'))).toMatch(/^status=bad-request$/m);
  });

  it('that is locked at the start says so, and serves once it is unlocked outside', async () => {
    await using session = await startKeyringSession();
    const home = aHome('keyring');
    await using first = await startAgent({ home, environment: session.env });
    await first.ask(...store('a.test', 'pass-EXAMPLE'));
    first.kill('SIGTERM');
    await first.ended;
    await session.lock();
    await using agent = await startAgent({ home, environment: session.env });
    const [answer, milliseconds] = await timed(agent.ask(...get('a.test')));
    expect(answer).toMatch(/^status=locked$/m);
    expect(milliseconds).toBeLessThan(1_500);
    // The person logs in: the keyring that comes up is open.
    await session.kill();
    await session.start();
    await expect
      .poll(() => agent.ask(...get('a.test')), { timeout: 15_000, interval: 500 })
      .toContain('password=pass-EXAMPLE');
  });

  it('carries everything into the vault and back', async () => {
    await using session = await startKeyringSession();
    await using agent = await startAgent({ home: aHome('auto'), environment: session.env });
    for (const name of ['a', 'b', 'c']) await agent.ask(...store(`${name}.test`, `${name}-EXAMPLE`));
    for (const [from, to] of [
      ['keyring', 'vault'],
      ['vault', 'keyring'],
    ]) {
      expect(await agent.ask(...status)).toMatch(new RegExp(`^backend=${from}$`, 'm'));
      expect(await agent.ask(...manage('backend-migrate', `name=${to}`))).toBe('status=ok\ncarried=3\n');
      for (const name of ['a', 'b', 'c']) expect(await agent.ask(...get(`${name}.test`))).toContain(`${name}-EXAMPLE`);
    }
  });

  it('leaves everything where it was when the keyring it is to carry to is frozen', async () => {
    await using session = await startKeyringSession();
    const home = aHome('vault');
    await using agent = await startAgent({ home, environment: session.env });
    await agent.ask(...store('a.test', 'a-EXAMPLE'));
    session.freeze();
    expect(await agent.ask(...manage('backend-migrate', 'name=keyring'))).toMatch(/^status=unavailable$/m);
    session.thaw();
    expect(await agent.ask(...status)).toMatch(/^backend=vault$/m);
    expect(await agent.ask(...get('a.test'))).toContain('a-EXAMPLE');
    configure(home, { backend: 'auto' });
    agent.kill('SIGKILL');
    await agent.ended;
    await using again = await startAgent({ home, environment: session.env });
    expect(await again.ask(...get('a.test'))).toContain('a-EXAMPLE');
  });
});
