import { describe, expect, test } from 'vitest';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { needKeyring } from './need.ts';

describe.skipIf(!needKeyring())('a private keyring session', () => {
  test('keeps an item across a restart of the keyring, and locks it', async () => {
    await using session = await startKeyringSession();
    await session.run('sh', '-c', 'printf canary-EXAMPLE | secret-tool store --label=test service a username b');
    await session.kill();
    await session.start();
    expect(await session.run('secret-tool', 'lookup', 'service', 'a', 'username', 'b')).toBe('canary-EXAMPLE');
    await session.lock();
    await expect(session.run('secret-tool', 'lookup', 'service', 'a', 'username', 'b')).rejects.toThrow();
  });

  test('tells how the keyring ended by itself, and nothing of its own kills', async () => {
    const crashes: string[] = [];
    await using session = await startKeyringSession({ onCrash: (how) => crashes.push(how) });
    await session.kill();
    await session.start();
    process.kill(session.pid, 'SIGABRT');
    await expect.poll(() => crashes).toEqual([expect.stringMatching(/^SIGABRT: /)]);
    await session.start();
    await session.kill();
    expect(crashes).toHaveLength(1);
  });

  test('is frozen and thawed', async () => {
    await using session = await startKeyringSession();
    session.freeze();
    await expect(
      session.run('timeout', '0.3', 'secret-tool', 'lookup', 'service', 'a', 'username', 'b'),
    ).rejects.toMatchObject({ code: 124 });
    session.thaw();
    await expect(session.run('secret-tool', 'lookup', 'service', 'a', 'username', 'b')).rejects.toMatchObject({
      code: 1,
    });
  });
});
