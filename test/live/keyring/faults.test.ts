import { chmod, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { KeyringProcess } from '../../../daemon/backends/keyring/keyring-process.ts';
import { probeKeyring } from '../../../daemon/backends/keyring/probe.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import { aHeld, text } from '../../contracts/backend.ts';
import { type KeyringSession, startKeyringSession } from '../../fakes/keyring-session.ts';
import { temporaryFolder } from '../../temporary.ts';
import { childIn, eventually, failure, keyringIn, openSession } from './harness.ts';
import { needKeyring, needPythonDbus } from './need.ts';

const held = aHeld({ host: 'example.com', username: 'alice' });
const secret = () => ({ secret: secretFromText('token-EXAMPLE') });
/** Milliseconds in which a caller must hear. */
const BOUND = 1_000;
/** Milliseconds that are "at once" on a busy machine. */
const AT_ONCE = 100;

/** Bounds of wall time on a machine that may do something else at the same moment. */
const BUSY = { retry: 2 };

describe.skipIf(!needKeyring())('a keyring that does not serve', () => {
  test('is locked: every call says so within a second and raises no prompt', BUSY, async () => {
    await using prompter = await aPrompter('touch "$1/prompted"; exit 1', { strict: true });
    const { session, backend } = prompter;
    await backend.put(held, secret());
    await session.lock();
    for (const call of [
      () => backend.get(held),
      () => backend.put(held, secret()),
      () => backend.put(aHeld({ username: 'new' }), secret()),
      () => backend.remove(aHeld({ username: 'alice', host: 'example.com' })),
      () => backend.unlock({ mayPrompt: false }),
    ]) {
      const { code, milliseconds } = await failure(call());
      expect(code).toBe('backend_locked');
      expect(milliseconds).toBeLessThan(BOUND);
    }
    expect(await prompter.prompted()).toBe(false);
    expect(backend.degradations().map(({ code }) => code)).toEqual(['keyring-locked']);
    expect((await failure(backend.unlock({ mayPrompt: true }))).code).toBe('backend_dismissed');
    expect(await prompter.prompted()).toBe(true);
  });

  test.skipIf(!needPythonDbus())('asks the person once, however many unlock; then all is served again', async () => {
    await using prompter = await aPrompter(
      'echo >> "$1/prompted"; while [ ! -e "$1/answered" ]; do sleep 0.05; done; exit 1',
    );
    const { session, backend } = prompter;
    await backend.put(held, secret());
    await session.lock();
    const unlocking = Promise.all(Array.from({ length: 8 }, () => backend.unlock({ mayPrompt: true })));
    await expect.poll(() => prompter.prompted()).toBe(true);
    // One that asks, and the one of all other calls.
    expect((await childrenOf(process.pid)).length).toBeLessThanOrEqual(2);
    await session.unlock();
    await prompter.answer();
    await unlocking;
    expect((await eventually(() => text(backend, held)))?.secret).toBe('token-EXAMPLE');
  });

  test('is locked at the start: the first call says so, and all is there once it is open', async () => {
    await using open = await openSession();
    await open.backend.put(held, secret());
    await open.session.lock();
    const later = await keyringIn(open.session);
    await open.backend.dispose();
    expect((await failure(later.list())).code).toBe('backend_locked');
    await open.session.kill();
    await open.session.start();
    await later.unlock({ mayPrompt: false });
    expect(await later.list()).toEqual([held]);
    await later.dispose();
  });

  test('has nobody to ask: unlock is dismissed within a second', BUSY, async () => {
    await using open = await openSession({ strict: true });
    await open.session.lock();
    const { code, milliseconds } = await failure(open.backend.unlock({ mayPrompt: true }));
    expect(code).toBe('backend_dismissed');
    expect(milliseconds).toBeLessThan(BOUND);
  });

  test('asks the person: others hear "locked" meanwhile, and lock ends the asking', async () => {
    await using prompter = await aPrompter('touch "$1/prompted"; sleep 20');
    const { session, backend } = prompter;
    await backend.put(held, secret());
    await session.lock();
    const unlocking = failure(backend.unlock({ mayPrompt: true }));
    await expect.poll(() => prompter.prompted()).toBe(true);
    expect((await failure(backend.get(held))).code).toBe('backend_locked');
    backend.lock();
    expect((await unlocking).code).toBe('backend_locked');
  });

  test(
    'is frozen: a call says so within a second, the next ones at once, until a later one finds it well',
    BUSY,
    async () => {
      let now = 100;
      await using open = await openSession({ strict: true, clock: { sinceBoot: () => now } });
      await open.backend.put(held, secret());
      open.session.freeze();
      const first = await failure(open.backend.get(held));
      expect(first.code).toBe('backend_hung');
      expect(first.milliseconds).toBeLessThan(BOUND);
      const next = await failure(open.backend.put(held, secret()));
      expect(next.code).toBe('backend_hung');
      expect(next.milliseconds).toBeLessThan(AT_ONCE);
      now += 6;
      // One call finds out. Whether it costs a longer pause depends on how long its child took to start.
      expect((await failure(open.backend.get(held))).code).toBe('backend_hung');
      open.session.thaw();
      now += 12;
      expect((await eventually(() => text(open.backend, held)))?.secret).toBe('token-EXAMPLE');
      expect(open.backend.degradations()).toEqual([]);
    },
  );

  test('is frozen under many calls: all of them hear within a second', BUSY, async () => {
    await using open = await openSession({ strict: true });
    await open.backend.put(held, secret());
    open.session.freeze();
    const all = await Promise.all(Array.from({ length: 50 }, () => failure(open.backend.get(held))));
    for (const { code, milliseconds } of all) {
      expect(code).toBe('backend_hung');
      expect(milliseconds).toBeLessThan(BOUND);
    }
  });

  test(
    'is frozen in the middle of a store: that is never acknowledged, and one item is there in the end',
    BUSY,
    async () => {
      let now = 100;
      await using open = await openSession({ strict: true, clock: { sinceBoot: () => now } });
      await open.backend.put(held, secret());
      open.session.freeze();
      const put = open.backend.put({ ...held, expiresAt: 7 }, { secret: secretFromText('newer-EXAMPLE') });
      expect((await failure(put)).code).toBe('backend_hung');
      open.session.thaw();
      now += 6;
      const found = await eventually(() => text(open.backend, held));
      const [listed] = await open.backend.list();
      expect([found?.secret, listed?.expiresAt]).toEqual(
        found?.secret === 'newer-EXAMPLE' ? ['newer-EXAMPLE', 7] : ['token-EXAMPLE', undefined],
      );
      expect(await items(open.session)).toBe(1);
    },
  );

  test('refuses an erase: the credential is not served again, and goes when the keyring lets it', BUSY, async () => {
    let now = 100;
    await using open = await openSession({ strict: true, clock: { sinceBoot: () => now } });
    await open.backend.put(held, secret());
    open.session.freeze();
    expect((await failure(open.backend.remove(held))).code).toBe('backend_hung');
    open.session.thaw();
    now += 6;
    expect(await eventually(() => open.backend.list())).toEqual([]);
    expect(await open.backend.get(held)).toBeUndefined();
    expect(await items(open.session)).toBe(0);
  });

  test('is killed again and again under stores: nothing acknowledged is lost, no item is there twice', async () => {
    await using open = await openSession();
    let acknowledged = 'nothing';
    let reported = 0;
    for (let round = 0; round < 8; round++) {
      let ended = false;
      const killing = sleep(20 + 9 * round)
        .then(() => open.session.kill())
        .then(() => {
          ended = true;
        });
      for (let i = 0; !ended; i++) {
        const value = `${round}-${i}-EXAMPLE`;
        try {
          await open.backend.put(held, { secret: secretFromText(value) });
          acknowledged = value;
        } catch (error) {
          reported++;
          expect((error as { code: string }).code).toMatch(/^backend_(absent|failed|locked)$/);
          // Known only to the keyring, as long as nothing later was acknowledged.
          acknowledged += `|${value}`;
        }
        await sleep(5);
      }
      await killing;
      await open.session.start();
      await open.backend.unlock({ mayPrompt: false });
      const found = (await text(open.backend, held))?.secret ?? 'nothing';
      expect(acknowledged.split('|')).toContain(found);
      expect(await items(open.session)).toBeLessThanOrEqual(1);
      acknowledged = found;
    }
    expect(reported).toBeGreaterThan(0);
  });

  test('has no bus: without an address it is absent at once, with a dead one soon', BUSY, async () => {
    await using open = await openSession({ keyring: false });
    const { DBUS_SESSION_BUS_ADDRESS: address, ...env } = open.session.env;
    const home = open.session.home;
    const nowhere = { ...env, XDG_RUNTIME_DIR: join(home, 'nowhere') };
    const unset = await keyringIn({ env: nowhere, home }, { deadline: undefined });
    const { code, milliseconds } = await failure(unset.list());
    expect(code).toBe('backend_absent');
    expect(milliseconds).toBeLessThan(AT_ONCE);
    await open.session.killBus();
    const dead = await failure(open.backend.list());
    expect(dead.code).toBe('backend_absent');
    expect(dead.milliseconds).toBeLessThan(BOUND);
    expect(address).toContain('unix:path=');
    await unset.dispose();
  });

  test('has no address, but a bus in the runtime folder: it is used', async () => {
    await using open = await openSession();
    const { DBUS_SESSION_BUS_ADDRESS: _, ...env } = open.session.env;
    expect(await probeKeyring(BOUND, childIn({ env }))).toBe('usable');
  });

  test('has a bus but no keyring on it: absent', async () => {
    await using open = await openSession({ keyring: false });
    expect((await failure(open.backend.list())).code).toBe('backend_absent');
  });

  test('has a bus that answers a byte a second: hung within a second', BUSY, async () => {
    await using session = await startKeyringSession();
    await using slow = await aSlowBus(session);
    const env = { ...session.env, DBUS_SESSION_BUS_ADDRESS: slow.address };
    const backend = await keyringIn({ env, home: session.home }, { deadline: undefined });
    expect((await failure(backend.list())).code).toBe('backend_hung');
    await backend.dispose();
    // The bound is the keyring's: it counts from when our child is up.
    const child = new KeyringProcess(childIn({ env }));
    await child.start();
    const { code, milliseconds } = await failure(child.request('probe'));
    expect(code).toBe('backend_hung');
    expect(milliseconds).toBeLessThan(BOUND);
    await child.dispose();
  });

  test('is probed for its state within a second', BUSY, async () => {
    await using session = await startKeyringSession();
    const probe = () => probeKeyring(BOUND, childIn(session));
    expect(await probe()).toBe('usable');
    await session.lock();
    expect(await probe()).toBe('locked');
    session.freeze();
    expect(await probe()).toBe('hung');
    await session.kill();
    expect(await probe()).toBe('absent');
    await session.killBus();
    expect(await probe()).toBe('absent');
    const start = performance.now();
    expect(await probeKeyring(BOUND, childIn({ env: { HOME: session.home } }))).toBe('absent');
    expect(performance.now() - start).toBeLessThan(AT_ONCE);
  });
});

describe.skipIf(!needKeyring())('the keyring child', () => {
  test('has no secret in argv or environment, no descriptor but its three, and is gone soon after', async () => {
    await using open = await openSession();
    process.env.KEYHOLD_TEST_STRANGER = 'stranger-EXAMPLE';
    await open.backend.put(held, secret());
    delete process.env.KEYHOLD_TEST_STRANGER;
    const pid = (await childrenOf(process.pid))[0]!;
    const argv = await readFile(`/proc/${pid}/cmdline`, 'latin1');
    const environ = (await readFile(`/proc/${pid}/environ`, 'latin1')).split('\0').filter(Boolean);
    expect(argv).not.toContain('EXAMPLE');
    expect(environ.map((pair) => pair.split('=')[0]).sort()).toEqual([
      'DBUS_SESSION_BUS_ADDRESS',
      'HOME',
      'XDG_RUNTIME_DIR',
    ]);
    const sockets = await descriptors(pid);
    expect(sockets.filter((target) => !/^(socket:|anon_inode:|pipe:|\/dev\/null)/.test(target))).toEqual([]);
    while ((await childrenOf(process.pid)).includes(pid)) await sleep(100);
  });
});

/** A session whose prompter is a shell script with the session's folder as `$1`. */
async function aPrompter(script: string, { strict = false } = {}) {
  const folder = temporaryFolder('prompter');
  const services = folder.path;
  const program = join(services, 'prompter');
  await writeFile(program, `#!/bin/sh\nset -- ${services}\n${script}\n`);
  await chmod(program, 0o755);
  await writeFile(
    join(services, 'org.gnome.keyring.SystemPrompter.service'),
    `[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=${program}\n`,
  );
  const open = await openSession({ strict, serviceFolders: [services] });
  return {
    ...open,
    prompted: () =>
      stat(join(services, 'prompted')).then(
        () => true,
        () => false,
      ),
    answer: () => writeFile(join(services, 'answered'), ''),
    async [Symbol.asyncDispose]() {
      await open[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

/** A way to a session's bus that lets one byte a second back. */
async function aSlowBus(session: KeyringSession) {
  const path = join(session.home, 'slow');
  const timers = new Set<NodeJS.Timeout>();
  const server = createServer((socket) => {
    const bus = dial(join(session.home, 'run', 'bus'));
    const waiting: number[] = [];
    const timer = setInterval(() => {
      const byte = waiting.shift();
      if (byte !== undefined) socket.write(Uint8Array.of(byte));
    }, 1_000);
    timers.add(timer);
    socket.on('data', (bytes) => bus.write(bytes));
    bus.on('data', (bytes) => waiting.push(...bytes));
    for (const end of [socket, bus]) {
      end.on('error', () => {});
      end.on('close', () => {
        socket.destroy();
        bus.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: `unix:path=${path}`,
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** How many items the keyring has for the credential. */
async function items(session: KeyringSession): Promise<number> {
  const search = 'secret-tool search --all service https://example.com username alice 2>&1 || true';
  return (await session.run('sh', '-c', search)).match(/^secret = /gm)?.length ?? 0;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const children = await readFile(`/proc/${pid}/task/${task}/children`, 'latin1').catch(() => '');
    for (const child of children.split(' ').filter(Boolean)) {
      const argv = await readFile(`/proc/${child}/cmdline`, 'latin1').catch(() => '');
      if (argv.includes('keyring/child.ts')) found.push(Number(child));
    }
  }
  return found;
}

async function descriptors(pid: number): Promise<readonly string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  return Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => 'pipe:gone')));
}
