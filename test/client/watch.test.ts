import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { watch } from '../../client/watch.ts';
import type { KeyholdEvent } from '../../protocol/events.ts';
import { temporaryFolder } from '../temporary.ts';

const frame = (type: string, data: object = { at: 1 }) => `${JSON.stringify({ type, data })}\f`;

/** Somebody at a socket who says one thing to each connection in turn, and nothing to those behind. */
async function speaker(...words: readonly ((socket: Socket) => void)[]) {
  const { path: folder, remove } = temporaryFolder('watch');
  onTestFinished(remove);
  const path = join(folder, 'events.sock');
  let came = 0;
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    words[came++]?.(socket);
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { path, folder, came: () => came };
}

/** So many events, then the end. */
async function some(count: number, events: AsyncIterable<KeyholdEvent>): Promise<KeyholdEvent[]> {
  const found: KeyholdEvent[] = [];
  for await (const event of events) if (found.push(event) === count) break;
  return found;
}

describe('watch', () => {
  it('brings what is said, and connects again where the connection ends', async () => {
    const { path, came } = await speaker(
      (socket) => socket.end(frame('hello') + frame('stored', { at: 2, id: 'a' })),
      (socket) => socket.destroy(),
      (socket) => socket.write(frame('hello', { at: 3 }) + frame('locked', { at: 4 }).slice(0, 9)),
    );
    expect(await some(3, watch({ socket: path }))).toEqual([
      { event: 'hello', at: 1 },
      { event: 'stored', at: 2, id: 'a' },
      { event: 'hello', at: 3 },
    ]);
    expect(came()).toBe(3);
  });

  it('gives up when nobody answered for as long as its patience lasts', async () => {
    const { folder } = await speaker();
    const began = performance.now();
    const watching = some(1, watch({ socket: join(folder, 'none.sock'), patience: 400 }));
    await expect(watching).rejects.toThrow('nobody answered for 0 s; run: keyhold start');
    expect(performance.now() - began).toBeGreaterThan(350);
  });

  it('counts its patience from the end of a connection that was good', async () => {
    const { path } = await speaker(
      (socket) => {
        socket.write(frame('hello'));
        setTimeout(() => socket.end(), 700);
      },
      (socket) => socket.write(frame('hello', { at: 9 })),
    );
    expect(await some(2, watch({ socket: path, patience: 500 }))).toHaveLength(2);
  });

  it('refuses another language, and what has no end', async () => {
    for (const words of ['HTTP/1.1 400 Bad Request\r\n\f', 'x'.repeat(10_000)]) {
      const { path } = await speaker((socket) => socket.write(words));
      await expect(some(1, watch({ socket: path }))).rejects.toThrow('cannot follow the events');
    }
  });

  it('does not connect where others could stand in the agent’s place', async () => {
    const { path, folder, came } = await speaker((socket) => socket.write(frame('hello')));
    chmodSync(folder, 0o755);
    await expect(some(1, watch({ socket: path }))).rejects.toThrow('cannot trust the socket folder');
    expect(came()).toBe(0);
  });

  it('ends by its signal: while it listens, while it waits, and before it began', async () => {
    const { path, folder } = await speaker((socket) => socket.write(frame('hello')));
    for (const socket of [path, join(folder, 'none.sock')]) {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 100);
      expect((await some(9, watch({ socket, signal: stop.signal }))).length).toBe(socket === path ? 1 : 0);
    }
    expect(await some(9, watch({ socket: path, signal: AbortSignal.abort() }))).toEqual([]);
  });
});
