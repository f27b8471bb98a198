import { type IncomingMessage, Agent as PlainAgent, type RequestOptions, request as requestPlain } from 'node:http';
import { Agent, request as requestSecure } from 'node:https';
import { rootCertificates } from 'node:tls';
import { addressOf, isLoopback, originOf } from '../../../protocol/services/index.ts';
import { retryAfterOf } from '../../oauth/schedule.ts';
import type { FailureName, Route } from '../plan.ts';

/** Bytes of headers, and of a body: lists of one person's tokens are smaller by far. */
const HEADERS_MAX = 16_384;
export const BODY_MAX = 1_048_576;

/** Why an exchange came to no answer. */
export class ExchangeFailure extends Error {
  override readonly name = 'ExchangeFailure';
  readonly failure: FailureName;

  /** `why` is a code or a few words of ours, never what the server wrote. */
  constructor(failure: FailureName, why = '') {
    super(why);
    this.failure = failure;
  }
}

export type Outgoing = {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
};

export type Incoming = { readonly status: number; readonly retryAfter: number | undefined; readonly body: Buffer };

/**
 * Sends one request and reads its whole answer, within the route's deadline. A GET follows one redirect that stays at
 * the same origin; every other redirect is a failure, so that what the headers hold goes nowhere else.
 */
export async function exchange(outgoing: Outgoing, route: Route): Promise<Incoming> {
  const signal = AbortSignal.timeout(route.deadline);
  try {
    const first = await sendOnce(outgoing, route, signal);
    if (typeof first !== 'string') return first;
    const next = sameOrigin(outgoing, first);
    if (outgoing.method !== 'GET' || next === undefined) throw new ExchangeFailure('redirected');
    const second = await sendOnce({ ...outgoing, path: next }, route, signal);
    if (typeof second === 'string') throw new ExchangeFailure('redirected', 'twice');
    return second;
  } catch (error) {
    if (error instanceof ExchangeFailure) throw error;
    if (signal.aborted) throw new ExchangeFailure('late');
    throw failureOf(error);
  }
}

/** The answer, or where it redirects to. */
function sendOnce(outgoing: Outgoing, route: Route, signal: AbortSignal): Promise<Incoming | string> {
  const { method, path, headers, body } = outgoing;
  const address = addressOf(outgoing.origin);
  const isSecure = address?.protocol === 'https';
  if (!address || !(isSecure || (address.protocol === 'http' && isLoopback(address.host)))) {
    return Promise.reject(new ExchangeFailure('unfit', 'http is for this machine only'));
  }
  const options: RequestOptions = {
    method,
    host: address.host.replace(/^\[|\]$/g, ''),
    port: address.port,
    path,
    headers: { ...headers, host: originOf(address).slice(`${address.protocol}://`.length) },
    agent: agentFor(isSecure, isLoopback(address.host) ? { ...route, proxy: undefined } : route),
    signal,
    maxHeaderSize: HEADERS_MAX,
    insecureHTTPParser: false,
  };
  return new Promise((resolve, reject) => {
    const request = (isSecure ? requestSecure : requestPlain)(options, (response) => {
      readAnswer(response).then(resolve, reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** TLS as node does it, with certificate and name checked; nothing in an environment steers it. */
function agentFor(isSecure: boolean, { authorities, proxy }: Route): Agent | PlainAgent {
  const proxyEnv = proxy === undefined ? undefined : { http_proxy: proxy, https_proxy: proxy };
  if (!isSecure) return new PlainAgent({ keepAlive: false, ...(proxyEnv && { proxyEnv }) });
  const ca = authorities === undefined ? undefined : [...rootCertificates, authorities];
  return new Agent({
    keepAlive: false,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(ca && { ca }),
    ...(proxyEnv && { proxyEnv }),
  });
}

async function readAnswer(response: IncomingMessage): Promise<Incoming | string> {
  const { statusCode: status = 0, headers } = response;
  if ([301, 302, 303, 307, 308].includes(status)) {
    response.destroy();
    return headers.location ?? '';
  }
  const promised = Number(headers['content-length'] ?? 0);
  if (promised > BODY_MAX) {
    response.destroy();
    throw new ExchangeFailure('too-long');
  }
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > BODY_MAX) throw new ExchangeFailure('too-long');
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof ExchangeFailure) throw error;
    throw (error as NodeJS.ErrnoException).code === 'ABORT_ERR' ? error : new ExchangeFailure('cut');
  }
  if (!response.complete) throw new ExchangeFailure('cut');
  return { status, retryAfter: retryAfterOf(headers['retry-after'], headers.date), body: Buffer.concat(parts) };
}

/** The path of a redirect that stays where the request went; undefined for any other. */
function sameOrigin({ origin }: Outgoing, location: string): string | undefined {
  const own = addressOf(origin)!;
  if (/^\/(?!\/)[\x21-\x7e]*$/.test(location)) return location.replace(/#.*$/, '');
  const target = addressOf(location.replace(/[?#].*$/s, ''));
  if (!target || originOf(target) !== originOf(own)) return undefined;
  return location.replace(/^[^/]*\/\/[^/?#]*/, '').replace(/#.*$/, '') || '/';
}

const untrusted = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** Only node's own code is told: its texts name hosts and certificates in words of others. */
function failureOf(error: unknown): ExchangeFailure {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  if (untrusted.test(code)) return new ExchangeFailure('untrusted', code);
  if (code === 'HPE_HEADER_OVERFLOW') return new ExchangeFailure('too-long', 'headers');
  if (code.startsWith('HPE_')) return new ExchangeFailure('no-json', code);
  // The connection stood already: what was sent may have been heard.
  if (code === 'ECONNRESET' || code === 'EPIPE') return new ExchangeFailure('cut', code);
  return new ExchangeFailure('unreachable', code);
}
