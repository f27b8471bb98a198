import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type BuiltAgent, get, open, startAgent, status, store } from '../../fakes/built-agent.ts';

const GET = Buffer.from(`${get('a.test').join('\n')}\n\n`);
const MiB = 1_024;

async function stocked(options: Parameters<typeof startAgent>[0] = {}): Promise<BuiltAgent> {
  const agent = await startAgent(options);
  await agent.ask(...store('a.test', 'pass-EXAMPLE'));
  return agent;
}

/** Milliseconds that one get takes now. */
async function timed(agent: BuiltAgent): Promise<number> {
  const begun = performance.now();
  expect(await agent.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
  return performance.now() - begun;
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('close', () => resolve());
    socket.resume();
  });
}

describe('many connections', () => {
  it('500 that say nothing stay, and disturb nobody', async () => {
    await using agent = await stocked();
    const silent = await Promise.all(Array.from({ length: 500 }, () => open(agent.socket)));
    const times = [];
    for (let number = 0; number < 20; number++) times.push(await timed(agent));
    times.sort((one, other) => one - other);
    expect(times[10]!).toBeLessThan(50);
    await sleep(6_000);
    expect(silent.filter((socket) => socket.destroyed || socket.readableEnded)).toEqual([]);
    for (const socket of silent) socket.destroy();
  });

  it('that send one byte a second are closed after five, and the others are served meanwhile', async () => {
    await using agent = await stocked();
    const slow = await Promise.all(Array.from({ length: 50 }, () => open(agent.socket)));
    const begun = performance.now();
    const sending = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write('a');
    }, 1_000);
    for (const socket of slow) socket.write('a');
    const all = Promise.all(slow.map(closed));
    for (let number = 0; number < 10; number++) expect(await timed(agent)).toBeLessThan(1_000);
    await all;
    clearInterval(sending);
    const seconds = (performance.now() - begun) / 1_000;
    expect(seconds).toBeGreaterThan(4.5);
    expect(seconds).toBeLessThan(7);
  });

  it('2,000 that come while it stands still are all answered', async () => {
    await using agent = await stocked();
    agent.kill('SIGSTOP');
    const asking = Array.from({ length: 2_000 }, async () => {
      for (;;) {
        try {
          return await agent.ask(...get('a.test'));
        } catch (error) {
          // The queue of a listening socket is bounded: whoever finds it full tries again.
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
          await sleep(5);
        }
      }
    });
    await sleep(300);
    agent.kill('SIGCONT');
    const answers = new Set(await Promise.all(asking));
    expect([...answers]).toEqual([expect.stringContaining('password=pass-EXAMPLE')]);
  });

  it('more than there are descriptors hear that it is busy, and those that are idle make room', async () => {
    await using agent = await stocked({ under: ['sh', '-c', 'ulimit -n 100; exec "$0"'] });
    const many = await Promise.all(Array.from({ length: 90 }, () => open(agent.socket)));
    await sleep(200);
    expect(await agent.ask(...get('a.test'))).toMatch(/^status=unavailable\nmessage=too many connections/);
    await sleep(1_100);
    expect(await agent.ask(...get('a.test'))).toContain('password=pass-EXAMPLE');
    // Stores too, and the disk: the descriptors in reserve are there.
    expect(await agent.ask(...store('b.test', 'b-EXAMPLE'))).toBe('status=ok\n');
    for (const socket of many) socket.destroy();
    await expect.poll(() => timed(agent)).toBeLessThan(1_000);
  });

  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n']).stdout.toString());
  it.skipIf(!(limit >= 16_000))('15,000 idle ones are held', async () => {
    await using agent = await stocked();
    const idle: Socket[] = [];
    for (let batch = 0; batch < 60; batch++) {
      idle.push(...(await Promise.all(Array.from({ length: 250 }, () => open(agent.socket)))));
    }
    const facts = await agent.ask(...status);
    expect(Number(/^connections=(\d+)$/m.exec(facts)![1])).toBe(15_001);
    expect(await timed(agent)).toBeLessThan(1_000);
    for (const socket of idle) socket.destroy();
    await expect.poll(() => agent.ask(...status), { timeout: 10_000 }).toMatch(/^connections=1$/m);
  });
});

describe('a hostile connection', () => {
  it('that sends 512 MiB without a line end is closed early and costs nothing', async () => {
    await using agent = await stocked();
    await timed(agent);
    const before = agent.rss();
    const socket = await open(agent.socket);
    const piece = Buffer.alloc(65_536, 'a');
    let sent = 0;
    while (sent < 512 * MiB * MiB && !socket.destroyed && socket.writable) {
      if (!socket.write(piece)) {
        await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed(socket)]);
      }
      sent += piece.length;
    }
    socket.destroy();
    expect(sent).toBeLessThan(4 * MiB * MiB);
    expect(agent.rss() - before).toBeLessThan(2 * MiB);
    await timed(agent);
  });

  it('that asks 400,000 times and never reads holds a bounded part of memory', async () => {
    await using agent = await stocked();
    await timed(agent);
    const before = agent.rss();
    const socket = await open(agent.socket);
    socket.pause();
    const hundred = Buffer.concat(Array.from({ length: 100 }, () => GET));
    let asked = 0;
    for (let number = 0; number < 4_000; number++) {
      if (!socket.write(hundred)) {
        const drained = await Promise.race([
          new Promise((resolve) => socket.once('drain', () => resolve(true))),
          sleep(500, false),
        ]);
        if (!drained) break;
      }
      asked += 100;
    }
    expect(asked).toBeLessThan(400_000);
    expect(agent.rss() - before).toBeLessThan(24 * MiB);
    expect(await timed(agent)).toBeLessThan(1_000);
    socket.destroy();
    await expect.poll(() => agent.ask(...status)).toMatch(/^connections=1$/m);
  });

  it('that resets in the middle of its request or of the answer ends itself only, 3,000 times', async () => {
    await using agent = await stocked();
    for (let round = 0; round < 3_000; round += 50) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, number) => {
          const socket = await open(agent.socket);
          const part = [GET.subarray(0, 20), GET, Buffer.concat([GET, GET, GET.subarray(0, 5)])][number % 3]!;
          // What is unread when a Unix socket closes makes it a reset for the other side.
          await new Promise((resolve) => socket.write(part, resolve));
          socket.destroy();
        }),
      );
    }
    expect(await timed(agent)).toBeLessThan(1_000);
    await expect.poll(() => agent.ask(...status)).toMatch(/^connections=1$/m);
    expect(readdirSync(`/proc/${agent.pid}/fd`).length).toBeLessThan(60);
  });
});

describe('half-closing', () => {
  it('ends a request behind a line, and does nothing inside one', async () => {
    await using agent = await stocked();
    const cut = await open(agent.socket);
    const over = closed(cut);
    cut.end('action=erase\nprotocol=https\nhost=a.te');
    await over;
    expect(await timed(agent)).toBeLessThan(1_000);
    const socket = await open(agent.socket);
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes;
    });
    const done = closed(socket);
    socket.end(Buffer.concat([GET, GET]));
    await done;
    expect(heard.match(/password=pass-EXAMPLE/g)?.length).toBe(2);
  });
});

describe('a signal', () => {
  it.each(['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const)(
    '%s in the middle of requests loses no answer that was begun, and no store that was acknowledged',
    async (signal) => {
      await using agent = await stocked();
      const acknowledged: string[] = [];
      let going = true;
      const clients = Array.from({ length: 4 }, async (_, client) => {
        for (let number = 0; going; number++) {
          const host = `h${client}-${number}.test`;
          const answer = await agent.ask(...store(host, 'pass-EXAMPLE')).catch((error) => String(error.code));
          if (answer === 'status=ok\n') acknowledged.push(host);
          else if (/^(ECONNREFUSED|ENOENT|ECONNRESET|EPIPE|)$/.test(answer)) return;
          else expect(answer).toBe('status=ok\n');
        }
      });
      await sleep(150);
      agent.kill(signal);
      expect(await agent.ended).toBe(0);
      going = false;
      await Promise.all(clients);
      expect(acknowledged.length).toBeGreaterThan(0);
      await using again = await startAgent({ home: agent.home });
      for (const host of acknowledged) expect(await again.ask(...get(host))).toContain('password=pass-EXAMPLE');
    },
  );

  it('SIGPIPE and SIGUSR1 change nothing', async () => {
    await using agent = await stocked();
    agent.kill('SIGPIPE');
    agent.kill('SIGUSR1');
    await sleep(100);
    await timed(agent);
  });
});
