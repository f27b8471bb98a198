import { randomBytes } from 'node:crypto';
import { openSystemClock } from '../../../daemon/clock.ts';
import {
  type Answer,
  bearerOf,
  type Call,
  openStandIn,
  type Route,
  type StandIn,
  type StandInOptions,
} from './stand-in.ts';

/**
 * The server side of Pogo (rows P1…P27), as pogo-vcs/pogo serves it over HTTP: how a token is found in a request, its
 * format, and its error texts are the source's. Ours: `GET /whoami`, in place of the gRPC call, with that call's error
 * texts; and the admin's side (`mint`, `drop`), because a token is made by the web page that registers a user and no
 * call of the server lists, ends or refreshes one (P21).
 */
export type Pogo = StandIn & {
  /** `127.0.0.1:PORT`: what the token is kept under (P2). */
  readonly server: string;
  /** A personal access token for a user, as the registration page shows it: 32 bytes in base64url, 44 characters. */
  mint(user: string): string;
  /** A token for one repository and one hour, kept in the server's memory only (P25). */
  mintForCi(repository: string): string;
  /** What only an admin can do, in the database: the token is unknown from now on (P21). */
  drop(token: string): void;
  /** How many requests carried their token in the URL or a cookie, which keyhold never does (P27). */
  readonly careless: () => number;
};

export type PogoOptions = StandInOptions & {
  /** Names of private repositories; `app` if absent. */
  readonly repositories?: readonly string[];
};

/** Seconds. */
const CI_TOKEN_LIFE = 3_600;

export async function openPogo({ clock = openSystemClock(), repositories = ['app'] }: PogoOptions = {}): Promise<Pogo> {
  /** By the bytes in hex: two spellings of base64 mean one token (P23). */
  const users = new Map<string, string>();
  const ciTokens = new Map<string, { readonly repository: string; readonly until: number }>();
  let careless = 0;

  const userOf = (call: Call): { name: string; repository?: string } | undefined => {
    const header = bearerOf(call) ?? call.headers.authorization;
    const token = header ?? call.query.get('token') ?? cookieOf(call);
    if (token === undefined || token === '') return undefined;
    if (header === undefined) careless++;
    const decoded = decode(token);
    const user = typeof decoded === 'string' ? undefined : users.get(decoded.toString('hex'));
    if (user !== undefined) return { name: user };
    const ci = ciTokens.get(token);
    return ci && clock.now() < ci.until ? { name: 'CI', repository: ci.repository } : undefined;
  };

  const routes: readonly Route[] = [
    ['GET', '/whoami', (call) => whoami(call, userOf(call))],
    [
      'GET',
      '/repository/:name/archive/:revision',
      (call) => {
        const [name = ''] = call.params;
        if (!repositories.includes(name)) return plain(404, 'Repository not found');
        const user = userOf(call);
        if (!user || (user.repository !== undefined && user.repository !== name)) return plain(401, 'Unauthorized');
        return { status: 200, body: 'PK', headers: { 'content-type': 'application/zip' } };
      },
    ],
    [
      'POST',
      '/api/login',
      ({ form }) => {
        const token = form.get('token') ?? '';
        if (token === '') return plain(400, 'Token is required');
        const decoded = decode(token);
        if (typeof decoded === 'string') return plain(400, `Invalid token format: ${decoded}`);
        if (!users.has(decoded.toString('hex'))) return plain(401, 'Invalid token');
        const cookie = `token=${token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict`;
        return { status: 200, body: { success: true }, headers: { 'set-cookie': cookie } };
      },
    ],
    ['POST', '/api/logout', () => ({ status: 200, body: { success: true } })],
  ];

  const standIn = await openStandIn(routes, refuse);
  return {
    ...standIn,
    server: `127.0.0.1:${standIn.port}`,
    mint(user) {
      const token = newToken();
      users.set(keyOf(token), user);
      return token;
    },
    mintForCi(repository) {
      const token = newToken();
      ciTokens.set(token, { repository, until: clock.now() + CI_TOKEN_LIFE });
      return token;
    },
    drop: (token) => void users.delete(keyOf(token)),
    careless: () => careless,
  };
}

function whoami({ headers, query }: Call, user: { name: string } | undefined): Answer {
  if (user) return { status: 200, body: { username: user.name } };
  const given = headers.authorization ?? query.get('token') ?? headers.cookie;
  return plain(401, given ? 'invalid or unknown personal access token' : 'no personal access token provided');
}

/** As Go's http.Error and http.NotFound write. */
function refuse(status: number): Answer {
  const texts: Record<number, string> = { 401: 'Unauthorized', 403: 'access denied', 404: '404 page not found' };
  return plain(status, texts[status] ?? `Failed with status ${status}`);
}

function plain(status: number, text: string): Answer {
  return { status, body: `${text}\n` };
}

function cookieOf({ headers }: Call): string | undefined {
  return /(?:^|; )token=([^;]+)/.exec(headers.cookie ?? '')?.[1];
}

/** 32 bytes whose text ends in EXAMPLE, as every secret of a test does. */
function newToken(): string {
  return `${randomBytes(27).toString('base64url')}EXAMPLE=`;
}

function keyOf(token: string): string {
  return Buffer.from(token, 'base64url').toString('hex');
}

/**
 * The bytes of a token, by what the server's DecodeToken takes: one alphabet or the other, with the padding; otherwise the
 * error, which repeats the token (P24). Where neither alphabet shows, both are tried and both errors told.
 */
function decode(token: string): Buffer | string {
  const at = /[+/]/.test(token) && /[-_]/.test(token) ? token.search(/[-_]/) : firstIllegal(token);
  if (at < 0) return Buffer.from(token, 'base64url');
  const why = `illegal base64 data at input byte ${at}`;
  return `failed to decode ${JSON.stringify(token)}: ${/[+/_-]/.test(token) ? why : `${why}\n${why}`}`;
}

/** Where the text stops being base64 in either alphabet, padding included; -1 if nowhere. */
function firstIllegal(token: string): number {
  const at = token.search(/[^A-Za-z0-9+/_-]/);
  if (at < 0) return token.length % 4 === 0 ? -1 : token.length;
  return /^={1,2}$/.test(token.slice(at)) && token.length % 4 === 0 ? -1 : at;
}
