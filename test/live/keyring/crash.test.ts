import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isErased } from '../../../daemon/backends/backend.ts';
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

  test('while it moves a credential into the restore bin and back loses none, and serves none that was erased', async () => {
    await using session = await startKeyringSession();
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const said = await killedLoop(session, round, 'move');
      const [progress, step, value = ''] = said.at(-1)!;
      seen.add(`${progress} ${step}`);
      const backend = await keyringIn(session);
      const all = await backend.list();
      const live = all.find(({ host }) => host === 'loop.example.com');
      const bin = all.find((held) => isErased(held));
      const texts = [live && (await text(backend, live)), bin && (await text(backend, bin))];
      const values = texts.map((found) => found?.secret ?? 'nothing');
      const state = `${progress} ${step}: ${values.join(' ')}`;
      // A put that was cut may have its old value; every other step leaves both secrets whole in one place or the other.
      const whole = { secret: value, refreshToken: `r-${value}` };
      if (step !== 'put' || progress === 'end') expect(texts, state).toContainEqual(whole);
      if (progress === 'end') expect(values, state).toEqual(step === 'erase' ? ['nothing', value] : [value, 'nothing']);
      // An item stands in the keyring for what is served, and for nothing else.
      const search = 'secret-tool search --all service https://loop.example.com username moved 2>&1 || true';
      const items = (await session.run('sh', '-c', search)).match(/^secret = .*$/gm) ?? [];
      expect(items, state).toEqual(live ? [`secret = ${values[0]}`] : []);
      await backend.dispose();
    }
    expect(seen.size).toBeGreaterThan(1);
  });
});

/** Lines that the driver may say before it is killed: enough for a put of each username, and for the first removal. */
const LINES_MAX = 16;

/** Runs the driver until a random moment, counted in what it has done and not in time, and answers what it said. */
async function killedLoop(session: { env: Record<string, string>; home: string }, round: number, mode = 'loop') {
  const child = spawn(process.execPath, [driver, mode, session.home, String(round)], {
    env: session.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  let left = 1 + Math.floor(Math.random() * LINES_MAX);
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes;
    const wasLeft = left;
    left -= bytes.toString().split('\n').length - 1;
    // The moment lies somewhere in the step that follows.
    if (wasLeft > 0 && left <= 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * 30);
  });
  await new Promise((resolve) => child.once('close', resolve));
  return said
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '));
}
