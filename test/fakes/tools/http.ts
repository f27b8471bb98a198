import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What came in, and what it was answered. */
export type Heard = {
  readonly method: string;
  readonly path: string;
  /** The Authorization header as it came. */
  readonly authorization: string | undefined;
  readonly status: number;
};

export type Answer = {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Asked = { readonly method: string; readonly path: string; readonly body: Buffer };

export type FakeServer = AsyncDisposable & {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly heard: Heard[];
  /** Authorization headers that open everything; may be changed while it runs. */
  readonly accepted: Set<string>;
};

/** Bytes of a request that are read: more than any fixture has. */
const BODY_MAX = 4 << 20;

/** A server on loopback that answers who brings an accepted Authorization header, and everybody else with `challenge`. */
export async function startServer(
  challenge: string,
  answer: (asked: Asked) => Answer,
  { open = false }: { readonly open?: boolean } = {},
): Promise<FakeServer> {
  const heard: Heard[] = [];
  const accepted = new Set<string>();
  const server = createServer(async (request, response) => {
    const { authorization } = request.headers;
    const [path = ''] = (request.url ?? '').split('?');
    const method = request.method ?? '';
    const body = await bodyOf(request);
    const isOpen = open || (authorization !== undefined && accepted.has(authorization));
    const answered: Answer = isOpen
      ? answer({ method, path, body })
      : { status: 401, headers: { 'WWW-Authenticate': challenge } };
    heard.push({ method, path, authorization, status: answered.status });
    send(response, answered);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    heard,
    accepted,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length <= BODY_MAX) pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function send(response: ServerResponse, { status, body = '', headers = {} }: Answer): void {
  response.writeHead(status, { 'Content-Length': String(Buffer.byteLength(body)), ...headers }).end(body);
}

/** `Basic` for a user and a password. */
export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
