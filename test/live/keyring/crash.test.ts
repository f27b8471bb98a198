import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { text } from '../../contracts/backend.ts';
import { startKeyringSession } from '../../fakes/keyring-session.ts';
import { keyringIn } from './harness.ts';
import { needKeyring } from './need.ts';

const driver = fileURLToPath(new URL('driver.ts', import.meta.url));
const ROUNDS = 8;

describe.skipIf(!needKeyring())('a process that is killed in the middle of what it does', () => {
  test('loses nothing that it acknowledged, and nothing that it erased comes back', async () => {
    await using session = await startKeyringSession();
    const known = new Map<string, readonly string[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [action, username, value] of await killedLoop(session, round)) {
        // While it is under way either may be there; once acknowledged, only the new one.
        known.set(username!, action === 'begin' ? [...(known.get(username!) ?? ['nothing']), value!] : [value!]);
      }
      const backend = await keyringIn(session);
      const listed = await backend.list();
      for (const [username, possible] of known) {
        const held = listed.find((one) => one.username === username);
        const found = held ? ((await text(backend, held))?.secret ?? 'nothing') : 'nothing';
        expect(possible).toContain(found);
        // The metadata is that of the secret which is there.
        if (held) expect(found).toMatch(new RegExp(`^\\d+-${held.expiresAt}-EXAMPLE$`));
        const search = `secret-tool search --all service https://loop.example.com username ${username} 2>&1 || true`;
        const items = (await session.run('sh', '-c', search)).match(/^secret = .*$/gm) ?? [];
        expect(items).toEqual(found === 'nothing' ? [] : [`secret = ${found}`]);
        known.set(username, [found]);
      }
      await backend.dispose();
    }
    expect(known.size).toBe(3);
  });
});

/** Runs the driver until a random moment after its first put, and answers what it said. */
async function killedLoop(session: { env: Record<string, string>; home: string }, round: number) {
  const child = spawn(process.execPath, [driver, 'loop', session.home, String(round)], {
    env: session.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), Math.random() * 250));
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return said
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '));
}
