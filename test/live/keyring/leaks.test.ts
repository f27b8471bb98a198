import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
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
/** Bytes of memory that are read at once. */
const CHUNK = 8 * 1_048_576;
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

  test('leaves no copy in the memory of who put it and got it', async () => {
    await using session = await startKeyringSession();
    const seed = randomBytes(24).toString('hex');
    const child = spawn(process.execPath, [driver, 'hold', session.home, seed], {
      env: session.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const found = (text: string | Buffer) => copiesIn(child.pid!, Buffer.from(text));
    const secret = Buffer.from(Buffer.from(seed).map((byte) => byte ^ 0x55));
    const forms = [secret, secret.toString('hex'), secret.toString('base64').slice(0, 40)];
    try {
      expect(await found(seed)).toBeGreaterThan(0);
      expect(await Promise.all(forms.map(found))).toEqual([0, 0, 0]);
    } finally {
      child.kill('SIGKILL');
    }
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

/** How often bytes stand in a process's writable memory. */
async function copiesIn(pid: number, wanted: Buffer): Promise<number> {
  const memory = await open(`/proc/${pid}/mem`);
  let copies = 0;
  try {
    for (const line of (await readFile(`/proc/${pid}/maps`, 'latin1')).split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      for (let at = Number.parseInt(from, 16), end = Number.parseInt(to, 16); at < end; at += CHUNK) {
        const chunk = Buffer.alloc(Math.min(CHUNK + wanted.length, end - at));
        const { bytesRead } = await memory.read(chunk, 0, chunk.length, at).catch(() => ({ bytesRead: 0 }));
        const region = chunk.subarray(0, bytesRead);
        for (let i = region.indexOf(wanted); i >= 0; i = region.indexOf(wanted, i + 1)) copies++;
      }
    }
  } finally {
    await memory.close();
  }
  return copies;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
