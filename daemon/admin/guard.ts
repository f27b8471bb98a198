/** Names by which a client may call us: what curl writes for http://localhost, and our own. */
const hosts: ReadonlySet<string> = new Set(['localhost', 'keyhold']);
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

export type Incoming = {
  readonly method: string;
  readonly url: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
};

/** Why a request gets no answer, as an HTTP status and words; undefined if it may ask. */
export type Objection = { readonly code: number; readonly message: string };

/**
 * Looks at a request before anything else does. Whoever can connect is the person already, but a browser of theirs could
 * be led here by a page (through a port that somebody forwards): it then names the page's host, or says where it comes
 * from. Everything here is for reading, so a request has no body.
 */
export function whyTurnedDown({ method, url, rawHeaders }: Incoming): Objection | undefined {
  const of = (name: string) => rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]!.toLowerCase() === name);
  const named = of('host');
  if (named.length !== 1 || !hosts.has(named[0]!.toLowerCase().replace(/:\d{1,5}$/, ''))) {
    return { code: 421, message: 'cannot answer: the host is localhost; ask for http://localhost/…' };
  }
  if (!methods.has(method)) return { code: 405, message: 'cannot answer: everything here is read by GET' };
  if (!url.startsWith('/')) return { code: 400, message: 'cannot answer: the target of a request is a path' };
  const site = of('sec-fetch-site');
  if (of('origin').length > 0 || site.some((value) => value !== 'none')) {
    return { code: 403, message: 'cannot answer: no web page may ask' };
  }
  const hasBody = of('transfer-encoding').length > 0 || of('content-length').some((value) => value.trim() !== '0');
  if (hasBody) return { code: 413, message: 'cannot answer: a request has no body' };
  if (of('upgrade').length > 0)
    return { code: 400, message: 'cannot answer: HTTP/1.1 is spoken here and nothing else' };
  return undefined;
}
