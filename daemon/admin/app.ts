import { type IncomingMessage, STATUS_CODES } from 'node:http';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { asFault } from '../../protocol/errors.ts';
import type { Handler } from '../../protocol/handler.ts';
import type { Status } from '../../protocol/status.ts';
import { inert } from '../../protocol/text.ts';
import { whyTurnedDown } from './guard.ts';
import { failure, openApiOf } from './openapi.ts';
import { pathParameters, type Question, type Route } from './route.ts';
import { routes } from './routes/index.ts';
import { Refused, viewOf } from './view.ts';

/** How the outcomes of the wire are told in HTTP. */
const codes: Readonly<Partial<Record<Status, number>>> = {
  'bad-request': 400,
  denied: 403,
  'not-found': 404,
  locked: 423,
  unsupported: 501,
};
const UNAVAILABLE = 503;
/** Longest parameter of a path, in characters. */
const PARAMETER_MAX = 128;
const NO_REQUEST = 'cannot answer: this is no proper request';

/** What every answer says: nothing here is kept, shown as a page, or shown inside one. */
const headers = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // One request a connection: how long a connection may last is then one bound.
  connection: 'close',
};

/**
 * The views of the agent over HTTP, asked through `agent`. It listens to nothing by itself: connections are given to
 * its server. Questions are checked against their schemas and never bent to fit; an answer has what its schema has.
 */
export function openApp(agent: Handler, version: string): FastifyInstance {
  const view = viewOf(agent);
  const app = fastify({
    logger: false,
    bodyLimit: 1,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    routerOptions: { maxParamLength: PARAMETER_MAX },
    // A path that cannot be decoded never comes to a route, or to the handler of errors.
    frameworkErrors: (_error, { raw }, reply: FastifyReply) => {
      if (!turnDown(raw, reply)) reply.code(400).send(errorOf('bad-request', NO_REQUEST));
    },
    clientErrorHandler(_error, socket) {
      if (socket.writable) socket.end(rawAnswer(400, errorOf('bad-request', NO_REQUEST)));
    },
  });
  // Nobody is asked to go on and send a body: they hear at once that there is none.
  app.server.on('checkContinue', (request, response) => app.server.emit('request', request, response));
  app.server.on('checkExpectation', (_request, { socket }) =>
    socket?.end(rawAnswer(417, errorOf('bad-request', 'cannot answer: nothing is expected of a request here'))),
  );
  app.addHook('onRequest', async ({ raw }, reply) => {
    if (turnDown(raw, reply)) return reply;
  });
  app.addHook('onSend', async (_request, reply, payload) => {
    const isJson = String(reply.getHeader('content-type')).startsWith('application/json');
    return isJson && typeof payload === 'string' ? inert(payload) : payload;
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(errorOf('not-found', 'nothing is here; see: /openapi.json')),
  );
  app.setErrorHandler((error, _request, reply) => {
    if (error instanceof Refused)
      return reply.code(codes[error.status] ?? UNAVAILABLE).send(errorOf(error.status, error.message));
    const { validation, statusCode, message } = error as { validation?: unknown; statusCode?: number; message: string };
    // Its words name the parameter and the rule, never what was given.
    if (validation) return reply.code(400).send(errorOf('bad-request', `cannot answer: ${message}`));
    if (statusCode !== undefined && statusCode < 500) {
      return reply.code(statusCode).send(errorOf('bad-request', NO_REQUEST));
    }
    const { status, message: words } = asFault(error);
    return reply.code(UNAVAILABLE).send(errorOf(status, words));
  });
  for (const one of routes) addRoute(app, one, (parameters) => one.respond({ view, parameters } as Question<never>));
  const document = openApiOf(routes, version);
  app.get('/openapi.json', () => document);
  return app;
}

/** Says to every answer what all of them say, and refuses a request that is none of ours. False where it may go on. */
function turnDown({ method = '', url = '', rawHeaders }: IncomingMessage, reply: FastifyReply): boolean {
  reply.headers(headers);
  const objection = whyTurnedDown({ method, url, rawHeaders });
  if (!objection) return false;
  if (objection.code === 405) reply.header('allow', 'GET, HEAD');
  reply.code(objection.code).send(errorOf('bad-request', objection.message));
  return true;
}

/** An answer to what never became a request for fastify. */
function rawAnswer(code: number, document: object): string {
  const body = JSON.stringify(document);
  const all = { ...headers, 'content-type': 'application/json; charset=utf-8', 'content-length': body.length };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${code} ${STATUS_CODES[code]}`, ...lines, '', body].join('\r\n');
}

function addRoute(app: FastifyInstance, route: Route, respond: (parameters: object) => Promise<unknown>): void {
  const { path, parameters, answer, contentType } = route;
  const inPath = new Set(pathParameters(path));
  const part = (isIn: (name: string) => boolean) => {
    const properties = Object.entries((parameters['properties'] ?? {}) as Record<string, object>);
    const required = ((parameters['required'] ?? []) as string[]).filter(isIn);
    return {
      type: 'object',
      properties: Object.fromEntries(properties.filter(([name]) => isIn(name))),
      required,
      additionalProperties: false,
    };
  };
  app.get(path.replace(/\{(\w+)\}/g, ':$1'), {
    schema: {
      params: part((name) => inPath.has(name)),
      querystring: part((name) => !inPath.has(name)),
      response: { 200: answer, '4xx': failure, '5xx': failure },
    },
    async handler({ params, query }, reply) {
      reply.type(contentType);
      return await respond({ ...(params as object), ...(query as object) });
    },
  });
}

function errorOf(status: Status, message: string) {
  return { error: { status, message } };
}
