import { randomUUID } from 'node:crypto';
import { openSystemClock } from '../../../daemon/clock.ts';
import { alphanumeric } from './minted.ts';
import {
  type Answer,
  bearerOf,
  type Call,
  isoTime,
  openStandIn,
  type Route,
  type StandIn,
  type StandInOptions,
} from './stand-in.ts';

/**
 * Podstack (rows S1…S38). What is documented: `Authorization: Bearer` below `/v1`, `GET /v1/pods`, tokens of the form
 * `podstack_<prefix>_…` whose prefix is shown, five active ones, six lifetimes, revocation at once, the audit page, the
 * texts of three errors, and JupyterHub, which takes the token under its own scheme. The calls behind `podstack auth
 * whoami | token-info | refresh | revoke` and behind the token page are not published: their paths, fields and error
 * envelope are ours. The page's calls take the session of a person who is signed in.
 */
export type Podstack = StandIn & {
  /** Of the one person who is signed in to the page. */
  readonly session: string;
  /** Tokens that are neither revoked nor expired. Never a value. */
  readonly active: () => readonly { readonly id: string; readonly name: string; readonly prefix: string }[];
};

export type PodstackOptions = StandInOptions & {
  /** Projects that the account may use; `my-project` if absent. */
  readonly projects?: readonly string[];
};

type Token = {
  readonly id: string;
  readonly name: string;
  value: string;
  readonly scopes: readonly string[];
  createdAt: number;
  /** Seconds; null: never expires. */
  readonly life: number | null;
  lastUsed: number | null;
};

/** As documented: "up to 5 active tokens". */
export const MAX_ACTIVE = 5;
/** Days; null: never (S27). */
export const LIFETIMES: readonly (number | null)[] = [7, 30, 90, 180, 365, null];
const DAY = 86_400;
const ACCOUNT = { email: 'ada@podstack.example', accountId: 'acc_123456' };

export async function openPodstack(options: PodstackOptions = {}): Promise<Podstack> {
  const { clock = openSystemClock(), projects = ['my-project'] } = options;
  const session = `session-${alphanumeric(24)}`;
  let tokens: Token[] = [];
  const log: { timestamp: string; user: string; action: string; resource: string; details: string }[] = [];
  const isAlive = (token: Token) => token.life === null || clock.now() < token.createdAt + token.life;
  const active = () => tokens.filter(isAlive);
  const note = (action: string, { id, name }: Token) =>
    log.push({ timestamp: isoTime(clock.now()), user: ACCOUNT.email, action, resource: id, details: name });

  const use = (value: string | undefined, answer: (token: Token) => Answer): Answer => {
    const token = tokens.find((one) => one.value === value);
    if (!token) return refuse(401);
    if (!isAlive(token)) return error(401, 'token_expired', 'Token expired');
    token.lastUsed = clock.now();
    return answer(token);
  };
  const withToken = (answer: (token: Token, call: Call) => Answer) => (call: Call) =>
    use(bearerOf(call), (token) => answer(token, call));
  const withPerson = (answer: (call: Call) => Answer) => (call: Call) =>
    bearerOf(call) === session || call.headers.cookie === `session=${session}` ? answer(call) : refuse(401);
  const revoke = (token: Token): Answer => {
    tokens = tokens.filter((one) => one !== token);
    note('Token Revoked', token);
    return { status: 204 };
  };

  const create = ({ json: { name, expiresInDays = null, scopes = ['*'] } }: Call): Answer => {
    if (typeof name !== 'string' || name === '') return error(400, 'invalid_name', 'A name is required');
    if (!LIFETIMES.includes(expiresInDays as number | null)) {
      return error(400, 'invalid_expiration', 'Choose 7, 30, 90, 180 or 365 days, or never');
    }
    if (active().length >= MAX_ACTIVE) {
      const message = `You have ${MAX_ACTIVE} active tokens; delete unused tokens to create new ones`;
      return error(403, 'token_limit_reached', message);
    }
    const token: Token = {
      id: randomUUID(),
      name,
      value: newValue(),
      scopes: scopes as string[],
      createdAt: clock.now(),
      life: expiresInDays === null ? null : (expiresInDays as number) * DAY,
      lastUsed: null,
    };
    tokens.push(token);
    note('Token Created', token);
    return { status: 201, body: { ...described(token), token: token.value } };
  };

  const routes: readonly Route[] = [
    [
      'GET',
      '/v1/auth/whoami',
      withToken((token) => ({ status: 200, body: { ...ACCOUNT, expiresAt: described(token).expiresAt } })),
    ],
    ['GET', '/v1/auth/token-info', withToken((token) => ({ status: 200, body: described(token) }))],
    [
      'POST',
      '/v1/auth/refresh',
      withToken((token) => {
        token.value = newValue();
        token.createdAt = clock.now();
        note('Token Refreshed', token);
        return { status: 200, body: { ...described(token), token: token.value } };
      }),
    ],
    ['POST', '/v1/auth/revoke', withToken((token) => revoke(token))],
    ['GET', '/v1/pods', withToken(() => ({ status: 200, body: { pods: [] } }))],
    [
      'GET',
      '/v1/projects/:name',
      withToken((_, { params: [name = ''] }) =>
        projects.includes(name) ? { status: 200, body: { name } } : refuse(403),
      ),
    ],
    // JupyterHub's own scheme: https://jupyterhub.readthedocs.io/en/stable/howto/rest.html
    [
      'GET',
      '/hub/api/user',
      ({ headers }) =>
        use(/^token (.+)$/.exec(headers.authorization ?? '')?.[1], () => ({
          status: 200,
          body: { name: ACCOUNT.email },
        })),
    ],
    ['GET', '/v1/account/api-tokens', withPerson(() => ({ status: 200, body: { tokens: active().map(described) } }))],
    ['POST', '/v1/account/api-tokens', withPerson(create)],
    [
      'DELETE',
      '/v1/account/api-tokens/:id',
      withPerson(({ params }) => {
        const token = tokens.find(({ id }) => id === params[0]);
        return token ? revoke(token) : refuse(404);
      }),
    ],
    ['GET', '/v1/account/audit-logs', withPerson(() => ({ status: 200, body: { entries: log.toReversed() } }))],
  ];

  const standIn = await openStandIn(routes, refuse);
  return {
    ...standIn,
    session,
    active: () => active().map(({ id, name, value }) => ({ id, name, prefix: prefixOf(value) })),
  };
}

/** What the page shows of a token (S14, S26); its value only once. */
function described(token: Token) {
  const { id, name, value, scopes, createdAt, life, lastUsed } = token;
  return {
    id,
    name,
    prefix: prefixOf(value),
    scopes,
    createdAt: isoTime(createdAt),
    expiresAt: life === null ? null : isoTime(createdAt + life),
    lastUsed: lastUsed === null ? null : isoTime(lastUsed),
  };
}

function newValue(): string {
  return `podstack_${alphanumeric(15).slice(0, 8)}_${alphanumeric(32)}`;
}

function prefixOf(value: string): string {
  return value.split('_')[1] ?? '';
}

function refuse(status: number): Answer {
  const known: Record<number, [code: string, message: string]> = {
    401: ['invalid_token', 'Invalid authentication token'],
    402: ['payment_required', 'Add funds to your wallet'],
    403: ['permission_denied', 'Permission denied for resource'],
    404: ['not_found', 'Not found'],
    429: ['rate_limited', 'Too many requests'],
  };
  const [code, message] = known[status] ?? ['internal', 'Internal server error'];
  return error(status, code, message);
}

function error(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}
