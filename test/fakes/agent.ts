import { mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Handler } from '../../protocol/handler.ts';
import { serve } from '../../protocol/serve.ts';

export type FakeAgent = AsyncDisposable & {
  readonly socket: string;
  /** How many connections came. */
  readonly connections: () => number;
};

export type FakeAgentOptions = {
  /** Where to listen; its folder is made, 0700. */
  readonly socket: string;
  /** What answers: a handler on our wire, or anything at all with the raw connection. */
  readonly handler?: Handler;
  readonly raw?: (socket: Socket) => void;
  readonly backlog?: number;
};

/** An agent for tests of clients: the real wire with any handler behind it. */
export async function fakeAgent({ socket, handler, raw, backlog = 511 }: FakeAgentOptions): Promise<FakeAgent> {
  await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
  const open = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (connection) => {
    connections++;
    open.add(connection);
    connection.on('close', () => open.delete(connection));
    connection.on('error', () => {});
    if (handler) void serve(connection, handler);
    else raw?.(connection);
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen({ path: socket, backlog }, resolve);
  });
  return {
    socket,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
