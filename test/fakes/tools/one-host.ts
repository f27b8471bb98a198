import { type IncomingMessage, request as overHttp, type ServerResponse } from 'node:http';
import { createServer, request as overTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Authority } from '../certificates.ts';

/** Where requests go that begin so: the first place that fits takes them. */
export type Place = { readonly client: string; readonly paths: RegExp; readonly url: string };

/** A request with whatever token it showed, and what it was answered. */
export type Shown = { readonly client: string; readonly token: string | undefined; readonly status: number };

/** One host and port, over TLS, in front of several servers that each speak to another client. */
export type OneHost = AsyncDisposable & {
  readonly url: string;
  readonly host: string;
  readonly shown: Shown[];
};

/** Puts `places` behind one address, which is what their answers name then, too. */
export async function startOneHost(authority: Authority, places: readonly Place[]): Promise<OneHost> {
  const shown: Shown[] = [];
  const server = createServer(authority.issue('IP:127.0.0.1'), (request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const place = places.find(({ paths }) => paths.test(path));
    if (!place) {
      request.resume();
      response.writeHead(404).end();
      return;
    }
    pass(request, response, place, { url, ca: authority.pem }, (status) =>
      shown.push({ client: place.client, token: tokenIn(request.headers.authorization), status }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `https://${host}`;
  return {
    url,
    host,
    shown,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(
  request: IncomingMessage,
  response: ServerResponse,
  place: Place,
  front: { readonly url: string; readonly ca: string },
  tell: (status: number) => void,
): void {
  const { method = '', url: path = '', headers } = request;
  const { protocol, host } = new URL(place.url);
  const start = protocol === 'https:' ? overTls : overHttp;
  const options = { method, headers: { ...headers, host }, ca: front.ca, agent: false };
  const behind = start(`${place.url}${path}`, options, async (answer) => {
    const pieces: Buffer[] = [];
    for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
    // As latin1, every byte that is no part of an address stays what it is.
    const body = Buffer.concat(pieces).toString('latin1').replaceAll(place.url, front.url);
    const { 'transfer-encoding': _, connection: __, ...kept } = answer.headers;
    const length = method === 'HEAD' ? kept['content-length'] : String(body.length);
    const status = answer.statusCode ?? 502;
    tell(status);
    response.writeHead(status, { ...kept, ...(status === 204 ? {} : { 'content-length': length }) });
    response.end(Buffer.from(body, 'latin1'));
  });
  behind.on('error', () => response.destroy());
  request.pipe(behind);
}

/** The token itself: `Basic` wraps it (an empty one, where a client has a name alone, is none), and cargo sends it bare. */
function tokenIn(authorization: string | undefined): string | undefined {
  const [scheme, value] = (authorization ?? '').split(' ');
  if (value === undefined) return authorization;
  if (scheme !== 'Basic') return value;
  return Buffer.from(value, 'base64').toString().split(':').slice(1).join(':') || undefined;
}
