import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadNative } from '../../../daemon/native/load.ts';
import type { Native } from '../../../daemon/native/native.ts';
import { buildAddon } from '../../fakes/addon.ts';
import { need } from '../../need.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];

describe.skipIf(!need('cc', 'apt-get install gcc libc6-dev'))('the addon', () => {
  let folder: string;
  let addon: Awaited<ReturnType<typeof buildAddon>>;
  let native: Native;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyhold-native-'));
    addon = await buildAddon();
    native = loadNative(addon.path)!;
  });
  afterAll(async () => {
    await addon[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('tells who connected to a Unix socket', async () => {
    const path = join(folder, 'peer.sock');
    const server = createServer().listen(path);
    const client = connect(path);
    const [socket] = (await once(server, 'connection')) as [Socket & { _handle: { fd: number } }];
    const who = new Uint32Array(3);
    native.peer(socket._handle.fd, who);
    expect([...who]).toEqual([process.getuid!(), process.getgid!(), process.pid]);
    client.destroy();
    socket.destroy();
    server.close();
  });

  it('knows no peer of what is no connected Unix socket', async () => {
    await using file = await open(join(folder, 'file'), 'w');
    expect(() => native.peer(file.fd, new Uint32Array(3))).toThrow('not a connected Unix socket');
    expect(() => native.peer(-1, new Uint32Array(3))).toThrow();
    expect(() => native.peer('1' as unknown as number, new Uint32Array(3))).toThrow('not a descriptor');
    expect(() => native.peer(file.fd, new Uint32Array(2))).toThrow('no room');
  });

  /** A listening socket whose connections are taken, and what came of it. */
  async function taking(onConnection: (fd: number, who: readonly number[]) => void) {
    const path = join(folder, `take-${Math.random()}.sock`);
    const server = createServer().listen(`${path}.bound`);
    await once(server, 'listening');
    // Closing it takes away the name that it bound.
    renameSync(`${path}.bound`, path);
    const peer = new Uint32Array(3);
    const turns: number[] = [];
    let inTurn = 0;
    const { fd, stop } = native.take(
      (server as unknown as { _handle: { fd: number } })._handle.fd,
      peer,
      (connection) => {
        inTurn++;
        onConnection(connection, [...peer]);
      },
      () => {
        turns.push(inTurn);
        inTurn = 0;
      },
    );
    await new Promise((resolve) => server.close(resolve));
    return { path, fd, stop, turns };
  }

  it('takes connections with who they are, also when the listener that it came from is closed', async () => {
    const seen: (readonly number[])[] = [];
    const { path, fd, stop, turns } = await taking((connection, who) => {
      seen.push(who);
      native.close(connection);
    });
    expect(fd).toBeGreaterThan(2);
    const clients = [connect(path), connect(path), connect(path)];
    await Promise.all(clients.map((client) => once(client.resume(), 'end')));
    expect(seen).toEqual(Array(3).fill([process.getuid!(), process.getgid!(), process.pid]));
    expect(turns.reduce((sum, count) => sum + count)).toBe(3);
    stop();
    await expect(once(connect(path), 'connect')).rejects.toThrow('ECONNREFUSED');
  });

  it('does what a connection leaves to microtasks before the next one', async () => {
    const order: string[] = [];
    const { path, stop } = await taking((connection) => {
      order.push('taken');
      void Promise.resolve()
        .then(() => {})
        .then(() => {
          order.push('done');
          native.close(connection);
        });
    });
    const clients = [connect(path), connect(path), connect(path)];
    await Promise.all(clients.map((client) => once(client.resume(), 'end')));
    expect(order).toEqual(['taken', 'done', 'taken', 'done', 'taken', 'done']);
    stop();
  });

  it('sends all answers of one turn whole and in their order, short and long, and closes behind the last', async () => {
    const [short, long] = [Buffer.alloc(90, 's'), Buffer.alloc(9_000, 'l')];
    const open: number[] = [];
    let taken = 0;
    const { path, stop, turns } = await taking((connection) => {
      const answers = taken++ % 3 === 0 ? [short, long, short] : [short, short];
      for (const answer of answers) expect(native.send(connection, answer)).toBe(answer.length);
      if (taken % 10 === 0) open.push(connection);
      else native.close(connection);
    });
    const [all, clients] = [150, [] as Promise<string>[]];
    for (let count = 0; count < all; count++) clients.push(textOf(connect(path)));
    await expect.poll(() => turns.reduce((sum, count) => sum + count, 0)).toBe(all);
    // More than are kept at once came in one turn.
    expect(Math.max(...turns)).toBeGreaterThan(40);
    for (const connection of open) {
      expect(native.send(connection, short)).toBe(short.length);
      native.close(connection);
    }
    const lengths = (await Promise.all(clients)).map((text) =>
      text.replaceAll(/s{90}/g, 'S').replaceAll(/l{9000}/g, 'L'),
    );
    expect(lengths.filter((text) => text === 'SLS' || text === 'SLSS')).toHaveLength(all / 3);
    expect(lengths.filter((text) => text === 'SS' || text === 'SSS')).toHaveLength((all * 2) / 3);
    expect(lengths.filter((text) => text === 'SSS' || text === 'SLSS')).toHaveLength(open.length);
    stop();
  });

  it('reads and writes what there is and room for, and says what is not there yet, over or broken', async () => {
    let fd = -1;
    const { path, stop } = await taking((connection) => {
      fd = connection;
    });
    const client = connect({ path, allowHalfOpen: true });
    client.on('error', () => {});
    await expect.poll(() => fd).toBeGreaterThan(2);
    const into = Buffer.alloc(8);
    expect(native.receive(fd, into)).toBe(-1);
    client.write('ask');
    await expect.poll(() => native.receive(fd, into)).toBe(3);
    expect(into.toString('latin1', 0, 3)).toBe('ask');
    expect(native.send(fd, Buffer.from('told'))).toBe(4);
    expect(String((await once(client, 'data'))[0])).toBe('told');
    client.pause();
    const much = Buffer.alloc(4_194_304);
    const sent = native.send(fd, much);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(much.length);
    expect(native.send(fd, much)).toBe(0);
    client.end();
    await expect.poll(() => native.receive(fd, into)).toBe(0);
    client.destroy();
    await expect.poll(() => native.send(fd, much)).toBe(-2);
    native.close(fd);
    expect(native.receive(fd, into)).toBe(-2);
    stop();
  });

  it('takes no connections of what is none of a listener, and no words that are none', () => {
    const none = () => {};
    expect(() => native.take(-1, new Uint32Array(3), none, none)).toThrow('no socket that can be waited for');
    expect(() => native.take(0, new Uint32Array(2), none, none)).toThrow('take: not');
    expect(() => native.take(0, new Uint32Array(3), none, undefined as unknown as () => void)).toThrow('take: not');
    expect(() => native.send(0, 'x' as unknown as Buffer)).toThrow('not a descriptor and bytes');
    expect(() => native.receive(undefined as unknown as number, Buffer.alloc(1))).toThrow('not a descriptor and bytes');
  });

  it('gives zeroed memory of at least the size asked for, page by page', () => {
    const { memory, locked } = native.region(5_000);
    expect(memory.byteLength).toBe(8_192);
    expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true);
    expect(typeof locked).toBe('boolean');
    for (const size of [0, -1, 2 ** 40, Number.NaN, 'x'])
      expect(() => native.region(size as number)).toThrow('not a size');
  });

  it('hardens the process: no dump, no core, no new privileges', async () => {
    const code = `
      const fs = require('node:fs');
      const took = require(${JSON.stringify(addon.path)}).harden();
      const status = fs.readFileSync('/proc/self/status', 'latin1');
      const core = /Max core file size +(\\d+) +(\\d+)/.exec(fs.readFileSync('/proc/self/limits', 'latin1'));
      const owner = fs.statSync('/proc/self/environ').uid;
      console.log(JSON.stringify({ took, bound: /NoNewPrivs:\\t1/.test(status), core: core.slice(1), owner }));`;
    const [program, ...args] = isRoot ? ['setpriv', ...nobody, process.execPath] : [process.execPath];
    const { stdout } = await run(program!, [...args, '-e', code]);
    // What cannot be dumped has its /proc entries owned by root.
    expect(JSON.parse(stdout)).toEqual({ took: true, bound: true, core: ['0', '0'], owner: 0 });
  });

  it.skipIf(!need('python3', 'apt-get install python3'))('notifies a service manager', async () => {
    const path = join(folder, 'notify.sock');
    const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', chr(0)))
print('up', flush=True)
s.settimeout(5)
print(s.recv(100).decode(), flush=True)`;
    for (const address of [path, `@keyhold-test-${process.pid}`]) {
      const receiver = spawn('python3', ['-c', script, address]);
      let said = '';
      receiver.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString();
      });
      await once(receiver.stdout, 'data');
      expect(native.notify(address, 'READY=1')).toBe(true);
      await once(receiver, 'close');
      expect(said).toBe('up\nREADY=1\n');
    }
  });

  it('gives back pages of code, and goes on', () => {
    const codeInMemory = () => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
    const before = codeInMemory();
    native.giveBack();
    expect(codeInMemory()).toBeLessThan(before);
    expect([3, 1, 2].toSorted()).toEqual([1, 2, 3]);
  });

  it('says false where nobody can be notified', () => {
    for (const path of ['', '@', 'relative', join(folder, 'nobody.sock'), `/${'x'.repeat(200)}`])
      expect(native.notify(path, 'READY=1')).toBe(false);
  });

  it('is undefined where it is missing or is none', async () => {
    const garbage = join(folder, 'garbage.node');
    await writeFile(garbage, 'not an ELF file');
    expect(loadNative(garbage)).toBeUndefined();
    expect(loadNative(join(folder, 'absent.node'))).toBeUndefined();
  });
});
