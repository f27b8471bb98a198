import type { Answer } from './stand-in.ts';

/** Seconds that a 429 asks to wait. */
export const RETRY_AFTER = 7;
const TEN_MEGABYTES = 10 * 1_048_576;

/** Every way to go wrong that a caller of a service must survive. */
export const faults = [
  401,
  402,
  403,
  404,
  429,
  500,
  'timeout',
  'half-a-body',
  'html',
  'ten-megabytes',
  'redirect',
] as const;

/**
 * A number: that status, with the service's own error body (429 with Retry-After). `timeout`: the request is taken and
 * never answered. `half-a-body`: the request has its effect, and the connection breaks in the middle of the answer.
 * `html`: 200 with a page. `ten-megabytes`: 200 with JSON of that size. `redirect`: 307 to another host, which records
 * what it is sent.
 */
/** `null`: 200 with `null`, which is an answer that says nothing; after a call that changes something it is none the worse. */
export type Fault = (typeof faults)[number] | 'null';

export type FaultOptions = {
  /** Only requests whose `METHOD /path` it matches; otherwise all. */
  readonly only?: RegExp;
  /** How many requests; otherwise until `recover()`. */
  readonly times?: number;
};

/** The answer to a request that goes wrong with an answer. `elsewhere` is where a redirect leads. */
export function faultyAnswer(
  fault: Exclude<Fault, 'timeout' | 'half-a-body'>,
  elsewhere: string,
  refuse: (status: number) => Answer,
): Answer {
  if (fault === 'html') {
    const body = '<!doctype html><title>Sign in</title><p>Please sign in.';
    return { status: 200, body, headers: { 'content-type': 'text/html; charset=utf-8' } };
  }
  if (fault === 'null') return { status: 200, body: 'null' };
  if (fault === 'ten-megabytes') return { status: 200, body: { padding: 'x'.repeat(TEN_MEGABYTES) } };
  if (fault === 'redirect') return { status: 307, headers: { location: elsewhere } };
  const answer = refuse(fault);
  return fault === 429 ? { ...answer, headers: { ...answer.headers, 'retry-after': `${RETRY_AFTER}` } } : answer;
}
