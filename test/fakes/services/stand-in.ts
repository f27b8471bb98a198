import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../daemon/clock.ts';
import { type Fault, type FaultOptions, faultyAnswer } from './faults.ts';

/** What a stand-in is asked for. */
export type Call = {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** What a JSON body says; an empty object for anything else. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What an urlencoded body says. */
  readonly form: URLSearchParams;
  /** What the route's pattern caught, decoded. */
  readonly params: readonly string[];
};

/** An object is answered as JSON, a string as plain text. */
export type Answer = {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** `:name` catches one part of a path: `['DELETE', '/auth/tokens/:id', …]`. */
export type Route = readonly [method: string, path: string, answer: (call: Call) => Answer];

/** What came in and how it was answered. Its secrets are a test's own. */
export type Recorded = {
  readonly method: string;
  /** With the query, as it stood in the request's first line. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** 0: not answered. */
  readonly status: number;
};

/** What every stand-in has. */
export type StandIn = AsyncDisposable & {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  /** Every request, in the order they were answered. */
  readonly requests: readonly Recorded[];
  /** What reached the host that `redirect` leads to: nothing may. */
  readonly elsewhere: readonly Recorded[];
  /** Goes wrong from now on. */
  fail(fault: Fault, options?: FaultOptions): void;
  /** Answers properly again. */
  recover(): void;
};

/** What every stand-in is opened with. */
export type StandInOptions = {
  /** Otherwise the machine's. */
  readonly clock?: Pick<Clock, 'now'>;
};

/** More than any of these services takes. */
const BODY_MAX = 1_048_576;

/**
 * Opens an HTTP server on loopback that answers by `routes`. What no route matches is `refuse(404)`, and `refuse` is
 * also the body of a fault with a status: the error in the service's own words.
 */
export async function openStandIn(routes: readonly Route[], refuse: (status: number) => Answer): Promise<StandIn> {
  const patterns = routes.map(([method, path, answer]) => ({ method, pattern: patternOf(path), answer }));
  const requests: Recorded[] = [];
  const elsewhere: Recorded[] = [];
  let planned: (FaultOptions & { readonly fault: Fault; left: number }) | undefined;

  const properAnswer = (call: Omit<Call, 'params'>): Answer => {
    for (const { method, pattern, answer } of patterns) {
      const found = method === call.method ? pattern.exec(call.path) : null;
      if (found) return answer({ ...call, params: found.slice(1).map(decodeURIComponent) });
    }
    return refuse(404);
  };
  const takeFault = (what: string): Fault | undefined => {
    if (!planned || planned.left === 0 || planned.only?.test(what) === false) return undefined;
    planned.left--;
    return planned.fault;
  };

  const other = await listen('127.0.0.2', async (request, response) => {
    elsewhere.push({ ...recordOf(request, await bodyOf(request)), status: 200 });
    send(response, { status: 200, body: {} });
  });
  const main = await listen('127.0.0.1', async (request, response) => {
    const body = await bodyOf(request);
    const call = callOf(request, body);
    const fault = takeFault(`${call.method} ${call.path}`);
    const record = (status: number) => requests.push({ ...recordOf(request, body), status });
    if (fault === 'timeout') return void record(0);
    if (fault === 'half-a-body') {
      const answer = properAnswer(call);
      record(answer.status);
      return sendHalf(response, answer);
    }
    const answer = fault === undefined ? properAnswer(call) : faultyAnswer(fault, `${other.url}${request.url}`, refuse);
    record(answer.status);
    send(response, answer);
  });

  return {
    ...main,
    requests,
    elsewhere,
    fail: (fault, options = {}) => {
      planned = { ...options, fault, left: options.times ?? Number.POSITIVE_INFINITY };
    },
    recover: () => {
      planned = undefined;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([main[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    },
  };
}

/** The token of `Authorization: Bearer …`; undefined if there is none. */
export function bearerOf({ headers }: Pick<Call, 'headers'>): string | undefined {
  return /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
}

/** A point in time as these services write it: `2030-01-01T00:00:00Z`. */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/:\w+/g, '([^/]+)')}$`);
}

async function listen(
  host: string,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<AsyncDisposable & { readonly url: string; readonly port: number }> {
  const server = createServer((request, response) => {
    // A caller that hangs up in the middle is an ordinary event.
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > BODY_MAX) throw new Error('cannot take the request: its body is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function callOf(request: IncomingMessage, body: string): Omit<Call, 'params'> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  return {
    method: request.method ?? '',
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    json: isForm ? {} : jsonOf(body),
    form: new URLSearchParams(isForm ? body : ''),
  };
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function recordOf(request: IncomingMessage, body: string): Omit<Recorded, 'status'> {
  return { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { ...contentType(body), ...headers }).end(textOf(body));
}

/** Promises a whole answer, writes its first half and hangs up. */
function sendHalf(response: ServerResponse, { status, body, headers }: Answer): void {
  const whole = textOf(body) ?? '{}';
  // An answer without a body cannot be cut in it: it promises one.
  const cuttable = status === 204 ? 200 : status;
  response.writeHead(cuttable, {
    ...contentType(body ?? {}),
    ...headers,
    'content-length': `${Buffer.byteLength(whole)}`,
  });
  response.write(whole.slice(0, Math.ceil(whole.length / 2)), () => response.destroy());
}

function contentType(body: object | string | undefined): Record<string, string> {
  if (body === undefined) return {};
  return { 'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json' };
}

function textOf(body: object | string | undefined): string | undefined {
  return typeof body === 'object' ? JSON.stringify(body) : body;
}
