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
 * Pogodoc (rows D1…D52). Its public interface makes documents: `POST /v1/documents/immediate-render` and
 * `GET /v1/jobs/:id`, with `Authorization: Bearer`. Tokens are made on a page, and no interface for that is published.
 * So `GET`, `POST` and `DELETE /v1/api-tokens` stand for the page's own calls: what they do is what the page is
 * documented to do, their fields and error bodies are ours. They take the session of a person who is signed in, as a
 * cookie or as a bearer, and not an API token; but DELETE takes either, as the operation of an older SDK did.
 */
export type Pogodoc = StandIn & {
  /** Of the one person who is signed in to the page. */
  readonly session: string;
  /** `none`: never chose one, so no token can be made (D45). `lapsed`: every token is refused (D43). */
  plan: 'active' | 'none' | 'lapsed';
  /** Everything that was ever made, deleted tokens included (D27). Never a value. */
  readonly tokens: () => readonly ListedToken[];
};

/** A token as the page lists it (D29). */
export type ListedToken = {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly deletedAt: string | null;
  /** How many documents were made with it (D13). */
  readonly documents: number;
};

type Kept = { -readonly [Key in keyof ListedToken]: ListedToken[Key] } & { readonly value: string };

/** As documented: "Maximum Active Tokens: 10 per account". */
export const MAX_ACTIVE = 10;
/** As documented: "Keep it short (1-20 characters)". */
export const NAME_MAX = 20;

export async function openPogodoc({ clock = openSystemClock() }: StandInOptions = {}): Promise<Pogodoc> {
  const session = `session-${alphanumeric(24)}`;
  const kept: Kept[] = [];
  const active = () => kept.filter(({ deletedAt }) => deletedAt === null);

  const isPerson = (call: Call) =>
    bearerOf(call) === session || /(?:^|; )session=([^;]+)/.exec(call.headers.cookie ?? '')?.[1] === session;
  const tokenOf = (call: Call) => active().find(({ value }) => value === bearerOf(call));
  const withPerson = (answer: (call: Call) => Answer) => (call: Call) => (isPerson(call) ? answer(call) : refuse(401));
  const withToken = (answer: (token: Kept, call: Call) => Answer) => (call: Call) => {
    const token = tokenOf(call);
    return token && self.plan === 'active' ? answer(token, call) : refuse(401);
  };

  const routes: readonly Route[] = [
    [
      'POST',
      '/v1/documents/immediate-render',
      withToken((token) => {
        token.documents++;
        return { status: 200, body: { url: `${self.url}/documents/${randomUUID()}.pdf` } };
      }),
    ],
    [
      'GET',
      '/v1/jobs/:id',
      withToken((_, { params: [jobId] }) => ({
        status: 200,
        body: { type: 'html', jobId, target: 'pdf', success: true, status: 'done' },
      })),
    ],
    [
      'GET',
      '/v1/api-tokens',
      withPerson(({ query }) => {
        const deleted = query.get('status') === 'deleted';
        const shown = kept.filter(({ deletedAt }) => (deletedAt !== null) === deleted);
        return { status: 200, body: { tokens: shown.map(listed), maxActive: MAX_ACTIVE } };
      }),
    ],
    ['POST', '/v1/api-tokens', withPerson(({ json }) => create(json['name']))],
    [
      'DELETE',
      '/v1/api-tokens/:id',
      (call) => {
        if (!isPerson(call) && !tokenOf(call)) return refuse(401);
        const token = active().find(({ id }) => id === call.params[0]);
        if (!token) return refuse(404);
        token.deletedAt = isoTime(clock.now());
        return { status: 204 };
      },
    ],
  ];

  const create = (name: unknown): Answer => {
    if (self.plan !== 'active') return error(402, 'NO_ACTIVE_PLAN', 'Choose a plan before you create a token');
    if (typeof name !== 'string' || name === '' || [...name].length > NAME_MAX) {
      return error(400, 'INVALID_NAME', `The name must have 1 to ${NAME_MAX} characters`);
    }
    if (active().length >= MAX_ACTIVE) {
      return error(403, 'TOKEN_LIMIT_REACHED', `You have ${MAX_ACTIVE} active tokens already; delete unused ones`);
    }
    const value = `pogodoc_${alphanumeric(40)}`;
    const token: Kept = {
      id: randomUUID(),
      name,
      createdAt: isoTime(clock.now()),
      deletedAt: null,
      documents: 0,
      value,
    };
    kept.push(token);
    return { status: 201, body: { ...listed(token), token: value } };
  };

  const standIn = await openStandIn(routes, refuse);
  const self: Pogodoc = Object.assign(standIn, {
    session,
    plan: 'active' as Pogodoc['plan'],
    tokens: () => kept.map(listed),
  });
  return self;
}

function listed({ id, name, createdAt, deletedAt, documents }: Kept): ListedToken {
  return { id, name, createdAt, deletedAt, documents };
}

function refuse(status: number): Answer {
  const known: Record<number, [code: string, message: string]> = {
    401: ['UNAUTHORIZED', 'Unauthorized'],
    402: ['NO_ACTIVE_PLAN', 'Your subscription is not active'],
    403: ['FORBIDDEN', 'Forbidden'],
    404: ['NOT_FOUND', 'Not found'],
    429: ['TOO_MANY_REQUESTS', 'Too many requests'],
  };
  const [code, message] = known[status] ?? ['INTERNAL', 'Internal server error'];
  return error(status, code, message);
}

function error(status: number, code: string, message: string): Answer {
  return { status, body: { error: code, message } };
}
