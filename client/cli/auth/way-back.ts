import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressOf, isLoopback } from '../../../protocol/services/index.ts';
import { exitCodeOf } from '../../../protocol/status.ts';
import { CommandFailure } from '../failure.ts';

/** Connections at a time: one browser opens a handful. */
const CONNECTIONS_MAX = 16;
/** Milliseconds that a browser may take to say what it wants. */
const REQUEST_DEADLINE = 10_000;
/** Characters of one parameter: codes of providers are shorter by far. */
const PARAMETER_MAX = 8_192;

/** What a browser brought back. */
export type Brought = {
  readonly code?: string | undefined;
  readonly state?: string | undefined;
  readonly issuer?: string | undefined;
  readonly error?: string | undefined;
};

export type WayBack = AsyncDisposable & {
  /** Where the provider is to send the browser. */
  readonly redirect: string;
  /**
   * What the first browser brings that comes back; undefined where none does within `deadline` milliseconds. It is shown a
   * page once `answer` has been told how it went.
   */
  first(deadline: number): Promise<Brought | undefined>;
  /** Shows the browser that came back how it went. */
  answer(isSignedIn: boolean): void;
};

/**
 * Listens on this machine for the browser that comes back from a provider (RFC 8252, 7.3). The first one counts: whoever comes
 * later is told so, and changes nothing. Without a port in `wanted` the system gives a free one. Throws a `CommandFailure` where the
 * port is taken, or the address is none of this machine.
 */
export async function openWayBack(wanted: string): Promise<WayBack> {
  const place = placeIn(wanted);
  const brought = Promise.withResolvers<Brought>();
  let waiting: ServerResponse | undefined;
  let isTaken = false;
  const server = createServer((request, response) => {
    const found = broughtBy(request, place.path, `${place.host}:${portOf()}`);
    if (!found) return page(response, 404, 'There is nothing here.');
    if (isTaken) return page(response, 409, 'This login has been answered already. You may close this page.');
    isTaken = true;
    waiting = response;
    brought.resolve(found);
  });
  const portOf = () => (server.address() as AddressInfo).port;
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_DEADLINE;
  server.headersTimeout = REQUEST_DEADLINE;
  server.keepAliveTimeout = 1;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(notListening(place, error)));
    server.listen({ host: place.host.replace(/^\[|\]$/g, ''), port: place.port }, resolve);
  });
  return {
    redirect: `http://${place.host}:${portOf()}${place.path}`,
    first(deadline) {
      const late = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => late.resolve(undefined), deadline);
      return Promise.race([brought.promise, late.promise]).finally(() => clearTimeout(timer));
    },
    answer(isSignedIn) {
      if (!waiting) return;
      if (isSignedIn) page(waiting, 200, 'You are signed in. You may close this page.');
      else page(waiting, 400, 'You are not signed in. The terminal says why; you may close this page.');
      waiting = undefined;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // What is being answered gets its answer; what says nothing is not waited for.
      setTimeout(() => server.closeAllConnections(), LINGER).unref();
      await closed;
    },
  };
}

/** Milliseconds in which a browser gets the page that it waits for. */
const LINGER = 500;

type Place = { readonly host: string; readonly port: number; readonly path: string };

function placeIn(wanted: string): Place {
  const [, origin = '', path = ''] = /^(http:\/\/[^/?#]+)(\/[!-"$->@-~]*)?$/.exec(wanted) ?? [];
  const address = addressOf(origin);
  if (!address || !isLoopback(address.host)) {
    throw new CommandFailure(
      exitCodeOf('bad-request'),
      'cannot use that way back: --redirect is http://127.0.0.1, with a port and a path where the provider wants them',
    );
  }
  const port = /:([0-9]{1,5})$/.exec(origin)?.[1];
  return { host: address.host, port: Number(port ?? 0), path: path === '' ? '/' : path };
}

/** What a request of the very address brings; undefined for every other. */
function broughtBy({ method, url = '', headers }: IncomingMessage, path: string, host: string): Brought | undefined {
  const [own, query = ''] = url.split('?', 2);
  // By another name for this machine somebody else's page could speak to us.
  if (method !== 'GET' || own !== path || headers.host !== host) return undefined;
  const parameters = new URLSearchParams(query);
  const of = (name: string) => {
    const all = parameters.getAll(name);
    return all.length === 1 && all[0]!.length <= PARAMETER_MAX ? all[0] : undefined;
  };
  const found = { code: of('code'), state: of('state'), issuer: of('iss'), error: of('error') };
  // A browser that asks for something else, an icon say, or that was not sent by a provider.
  return parameters.has('state') || parameters.has('code') || parameters.has('error') ? found : undefined;
}

/** A page that is ours alone: nothing in it comes from outside. */
function page(response: ServerResponse, status: number, text: string): void {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>keyhold</title><p>${text}</p></html>\n`;
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(html),
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(html);
}

function notListening({ host, port }: Place, { code }: NodeJS.ErrnoException): CommandFailure {
  const why =
    code === 'EADDRINUSE'
      ? `port ${port} is taken; end what listens there, or sign in by a code: --way device`
      : `${host} cannot be listened on (${code}); sign in by a code: --way device`;
  return new CommandFailure(1, `cannot wait for the browser: ${why}`);
}
