import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Conversation } from '../../protocol/conversation.ts';
import type { Handler } from '../../protocol/handler.ts';
import { heapSecret } from '../../protocol/secret.ts';
import { serve } from '../../protocol/serve.ts';

/** The caller's end of a connection to somebody who serves a handler. */
export type WireConnection = {
  readonly send: (bytes: Buffer) => void;
  readonly end: () => void;
  readonly received: () => Buffer;
  readonly closed: boolean;
  /** Waits until something holds, and gives up after ten seconds. */
  readonly until: (holds: () => boolean) => Promise<void>;
};

export type Wire = (handler: Handler) => Promise<WireConnection>;

const PATIENCE = 10_000;

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!holds() && Date.now() < deadline) await sleep(1);
}

/** A conversation without any connection; what is sent arrives in pieces of `piece` bytes. */
export function inProcess(piece = Number.POSITIVE_INFINITY): Wire {
  return async (handler) => {
    const received: Buffer[] = [];
    let closed = false;
    const conversation = new Conversation(handler, heapSecret, {
      send(bytes) {
        received.push(Buffer.from(bytes));
        return true;
      },
      close: () => {
        closed = true;
      },
      pause() {},
      resume() {},
    });
    return {
      send(bytes) {
        for (let at = 0; at < bytes.length; at += piece) {
          conversation.receive(Buffer.from(bytes.subarray(at, Math.min(at + piece, bytes.length))));
        }
      },
      end: () => conversation.end(),
      received: () => Buffer.concat(received),
      get closed() {
        return closed;
      },
      until,
    };
  };
}

/** A real Unix socket. Dispose of it after the test. */
export async function overSocket(): Promise<{ readonly wire: Wire; readonly path: string; dispose(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'keyhold-wire-'));
  const path = join(folder, 'agent.sock');
  let current: Handler | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => void serve(socket, (request) => current!(request)));
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    wire: (handler) => {
      current = handler;
      return dialled(path)(handler);
    },
    async dispose() {
      server.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Connections to whoever listens at `path`, with a handler of its own. */
export function dialled(path: string): Wire {
  return async () => {
    const socket = dial({ path, allowHalfOpen: true });
    const received: Buffer[] = [];
    let closed = false;
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    // The agent may close while the caller still talks.
    socket.on('error', () => {
      closed = true;
    });
    socket.on('end', () => {
      closed = true;
      socket.end();
    });
    await once(socket, 'connect');
    return {
      send: (bytes) => void socket.write(bytes),
      end: () => void socket.end(),
      received: () => Buffer.concat(received),
      get closed() {
        return closed;
      },
      until,
    };
  };
}
