import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { secretFromText } from '../../../protocol/secret.ts';
import { aHeld, text } from '../../contracts/backend.ts';
import { type KeyringSession, startKeyringSession } from '../../fakes/keyring-session.ts';
import { need } from '../../need.ts';
import { temporaryFolder } from '../../temporary.ts';
import { openSession } from './harness.ts';
import { needKeyring } from './need.ts';

const driver = fileURLToPath(new URL('driver.ts', import.meta.url));
const aCanary = () => `${randomBytes(12).toString('hex')}-EXAMPLE`;

describe.skipIf(!needKeyring())('a secret on its way to the keyring', () => {
  test('is not seen by a monitor on the bus', async () => {
    await using open = await openSession();
    const canary = aCanary();
    const monitor = spawn('dbus-monitor', ['--session', '--binary'], {
      env: open.session.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let seen = Buffer.alloc(0);
    monitor.stdout.on('data', (bytes: Buffer) => {
      seen = Buffer.concat([seen, bytes]);
    });
    const planted = () =>
      open.session.run('dbus-send', '--session', '--type=signal', '/planted', 'a.b.C', 'string:planted-EXAMPLE');
    while (!seen.includes('planted-EXAMPLE')) {
      await planted();
      await sleep(20);
    }
    const held = aHeld();
    await open.backend.put(held, { secret: secretFromText(canary), refreshToken: secretFromText(canary) });
    expect((await text(open.backend, held))?.secret).toBe(canary);
    await open.backend.remove(held);
    await sleep(200);
    monitor.kill();
    expect(seen.includes('CreateItem')).toBe(true);
    expect(seen.includes('dh-ietf1024-sha256-aes128-cbc-pkcs7')).toBe(true);
    expect(formsIn(seen, canary)).toEqual([]);
  });

  test.skipIf(!need('strace', 'apt-get install strace'))(
    'reaches no file and no kernel keyring, whether the keyring takes it or its prompt is dismissed',
    async () => {
      await using session = await startKeyringSession();
      const trace = temporaryFolder('trace');
      for (const [locked, said] of [
        [false, 'kept\n'],
        [true, 'backend_dismissed\n'],
      ] as const) {
        if (locked) await session.lock();
        const canary = aCanary();
        expect(await traced(session, canary, trace.path)).toBe(said);
        const calls = await readFile(join(trace.path, 'calls'), 'latin1');
        expect(calls).toContain('execve(');
        expect(calls).not.toMatch(/\b(add_key|keyctl|request_key)\(/);
        const everything = await filesBelow(session.home);
        expect(everything.length).toBeGreaterThan(2);
        for (const file of everything) expect(formsIn(await readFile(file), canary)).toEqual([]);
        const planted = join(session.home, 'planted');
        await writeFile(planted, Buffer.from(canary).toString('base64'));
        expect(formsIn(await readFile(planted), canary)).toEqual(['base64']);
        await writeFile(planted, '');
      }
      trace.remove();
    },
  );
});

/** Runs the driver with a secret on its standard input, under strace, and answers what it said. */
async function traced(session: KeyringSession, canary: string, folder: string): Promise<string> {
  const calls = 'trace=add_key,keyctl,request_key,execve';
  const child = spawn(
    'strace',
    ['-f', '-qq', '-o', join(folder, 'calls'), '-e', calls, process.execPath, driver, 'once', session.home],
    { env: session.env, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  child.stdin.end(canary);
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return said;
}

/** In which forms a text stands in bytes. */
function formsIn(bytes: Buffer, canary: string): readonly string[] {
  const forms = {
    utf8: canary,
    utf16: Buffer.from(canary, 'utf16le'),
    hex: Buffer.from(canary).toString('hex'),
    // Without its last bytes, which depend on what follows.
    base64: Buffer.from(canary).toString('base64').slice(0, 40),
  };
  return Object.entries(forms).flatMap(([name, form]) => (bytes.includes(form) ? [name] : []));
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
