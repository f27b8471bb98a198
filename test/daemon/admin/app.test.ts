import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { openApp } from '../../../daemon/admin/app.ts';
import { routes } from '../../../daemon/admin/routes/index.ts';
import { Refused, viewOf } from '../../../daemon/admin/view.ts';
import { KeyholdError } from '../../../protocol/errors.ts';
import type { CredentialReply } from '../../../protocol/handler.ts';
import { actions } from '../../../protocol/wire/actions.ts';
import { CANARY, entry, fakeAgent } from './fake-agent.ts';

const ID = '11321d25e16adfe63a09';
/** Every path that is there, with its parameters filled in. */
const paths = [...routes.map(({ path }) => path.replace('{id}', ID)), '/openapi.json'];

function anApp(reply?: CredentialReply) {
  const { handler, asked } = fakeAgent(reply);
  return { app: openApp(handler, '1.2.3'), asked };
}

type Options = { method?: string; headers?: Record<string, string>; payload?: string };
async function ask(url: string, { method = 'GET', headers = {}, payload }: Options = {}, reply?: CredentialReply) {
  const { app, asked } = anApp(reply);
  const options = { method: method as 'GET', url, headers, ...(payload === undefined ? {} : { payload }) };
  const answer = await app.inject(options);
  return { code: answer.statusCode, body: answer.body, headers: answer.headers, asked };
}

describe('every route', () => {
  it('is listed once, and there are all that are promised', () => {
    expect(new Set(routes.map(({ id }) => id)).size).toBe(routes.length);
    expect(paths).toEqual(
      expect.arrayContaining(['/health', '/metrics', '/tokens', '/tokens/deleted', '/usage', `/usage/${ID}`, '/audit']),
    );
  });

  it('that fastify knows is one of these, and is read only', async () => {
    const { app } = anApp();
    await app.ready();
    const known = app.printRoutes({ commonPrefix: false });
    const listed = [...known.matchAll(/─ (\S+) \(([^)]+)\)/g)].map(([, path, methods]) => [path, methods]);
    const expected = paths.map((path) => [path.replace(ID, ':id'), 'GET, HEAD']);
    expect(flattened(known).sort()).toEqual(expected.map(([path]) => path!).sort());
    for (const [, methods] of listed) expect(methods).toBe('GET, HEAD');
  });

  it.each(paths)('%s answers, says that nothing may keep or frame it, and tells no secret', async (url) => {
    const { code, body, headers } = await ask(url);
    expect(code).toBe(200);
    expect(body).not.toContain('EXAMPLE');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      connection: 'close',
    });
    expect(headers['content-type']).toMatch(
      url === '/metrics' ? /^text\/plain; version=0\.0\.4/ : /^application\/json/,
    );
  });

  it.each(paths)('%s asks the agent for views only', async (url) => {
    for (const { action, attributes } of (await ask(url)).asked) {
      expect(['status', 'list', 'usage', 'audit-list', 'metrics']).toContain(action);
      expect(attributes.has('password')).toBe(false);
    }
  });

  it.each(paths.flatMap((url) => ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => [method, url])))(
    '%s %s is refused, and the agent not asked',
    async (method, url) => {
      const { code, headers, asked } = await ask(url, { method });
      expect({ code, allow: headers['allow'], asked }).toEqual({ code: 405, allow: 'GET, HEAD', asked: [] });
    },
  );

  it.each(
    paths.flatMap((url) =>
      ['evil.example', 'localhost.evil.example', '127.0.0.1', 'localhost.', 'localhost:80@x'].map((host) => [
        url,
        host,
      ]),
    ),
  )('%s refuses the host "%s"', async (url, host) => {
    const { code, asked } = await ask(url, { headers: { host } });
    expect({ code, asked }).toEqual({ code: 421, asked: [] });
  });

  it.each(paths)('%s refuses a web page', async (url) => {
    for (const headers of [{ origin: 'null' }, { origin: 'http://localhost' }, { 'sec-fetch-site': 'cross-site' }]) {
      expect(await ask(url, { headers: headers as Record<string, string> })).toMatchObject({ code: 403, asked: [] });
    }
  });
});

/** The full paths in fastify's tree. */
function flattened(tree: string): string[] {
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const found = /^([│ ]*)[├└]── (\S*)( \(.*\))?/.exec(line);
    if (!found) return [];
    const depth = found[1]!.length / 4;
    above.length = depth;
    above[depth] = found[2]!;
    return found[3] ? [above.join('')] : [];
  });
}

describe('a question', () => {
  it.each([
    ['a body', { headers: { 'content-type': 'application/json' }, payload: '{}' }, 413],
    ['1 MiB and a byte', { headers: { 'content-type': 'application/json' }, payload: 'x'.repeat(1_048_577) }, 413],
    ['100,000 brackets', { headers: { 'content-type': 'application/json' }, payload: '['.repeat(100_000) }, 413],
    [
      'a name twice in a document',
      { headers: { 'content-type': 'application/json' }, payload: '{"a":1,"a":1e400}' },
      413,
    ],
    ['another method in a header', { headers: { 'x-http-method-override': 'DELETE' } }, 200],
    ['a text by POST', { method: 'POST', headers: { 'content-type': 'text/plain' }, payload: 'x' }, 405],
    [
      'a form by POST',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'a=b' },
      405,
    ],
  ] as const)('with %s', async (_, options, code) => {
    expect((await ask('/tokens', options)).code).toBe(code);
  });

  it.each([
    '/audit?limit=0',
    '/audit?limit=1001',
    '/audit?limit=1e3',
    '/audit?limit=1&limit=2',
    '/audit?since=-1',
    '/audit?since=1e400',
    '/audit?since=99999999999999999999',
    '/audit?id=%0aaction=stop',
    '/audit?tool=a%20b',
    '/audit?page=2',
    '/tokens?all=1',
    '/usage/%2e%2e%2fx',
    '/usage/A',
  ])('%s is refused with 400, and nothing asked', async (url) => {
    const { code, body, asked } = await ask(url);
    expect({ code, asked }).toEqual({ code: 400, asked: [] });
    expect(JSON.parse(body).error.status).toBe('bad-request');
  });

  it('for nothing that is here says where to look', async () => {
    const { code, body } = await ask('/favicon.ico');
    expect({ code, body: JSON.parse(body) }).toEqual({
      code: 404,
      body: { error: { status: 'not-found', message: 'nothing is here; see: /openapi.json' } },
    });
  });

  it('about the audit log is passed on as it is', async () => {
    const { asked } = await ask('/audit?since=1&until=2&id=abc&tool=git&action=first-use&after=7&limit=5');
    const { attributes } = asked[0]!;
    const given = Object.fromEntries([...attributes.keys()].map((key) => [key, attributes.text(key)]));
    expect(given).toEqual({
      since: '1',
      until: '2',
      id: 'abc',
      tool: 'git',
      event: 'first-use',
      after: '7',
      limit: '5',
    });
  });
});

describe('an answer', () => {
  it('about the audit log has all that an entry has', async () => {
    const { body } = await ask('/audit');
    expect(JSON.parse(body).entries).toEqual([entry]);
  });

  it('of deleted tokens has when, why and by whom, and nothing that only a token has', async () => {
    const [deleted] = JSON.parse((await ask('/tokens/deleted')).body).deleted;
    expect(deleted).toMatchObject({
      id: ID,
      host: 'a.test',
      label: 'ci',
      revokedAt: 9,
      reason: 'leaked',
      actor: 'ada',
    });
    expect(Object.keys(deleted)).not.toContain('unlocked');
  });

  it.each([
    ['locked', 423],
    ['denied', 403],
    ['unavailable', 503],
    ['unsupported', 501],
    ['bad-request', 400],
  ] as const)('of the agent that is %s is told as %i with its words', async (status, expected) => {
    const { code, body } = await ask('/tokens', {}, { status, message: 'why; run: keyhold unlock' });
    expect({ code, body: JSON.parse(body) }).toEqual({
      code: expected,
      body: { error: { status, message: 'why; run: keyhold unlock' } },
    });
  });

  it('is 404 for a token of which no use is known', async () => {
    expect((await ask(`/usage/${ID}`, {}, { status: 'ok' })).code).toBe(404);
  });

  it('is 503 where the agent cannot be asked, or does not say what it should', async () => {
    const gone = openApp(async () => {
      throw new KeyholdError('agent_unreachable', 'cannot reach the agent: none is running');
    }, '1.2.3');
    expect((await gone.inject('/health')).statusCode).toBe(503);
    const broken = openApp(async () => {
      throw new TypeError(CANARY);
    }, '1.2.3');
    const { statusCode, body } = await broken.inject('/health');
    expect(statusCode).toBe(503);
    expect(body).not.toContain(CANARY);
    expect((await ask('/health', {}, { status: 'ok', details: [] })).code).toBe(503);
  });

  it('has no character that steers a terminal, and a label that is markup stays text', async () => {
    const { body, headers } = await ask('/tokens');
    expect(body).not.toContain('\u202e');
    expect(body).toContain('\\u202e');
    expect(JSON.parse(body).tokens[0].username).toBe('<img src=x onerror=alert(1)>\u202e');
    expect(headers['content-type']).toContain('application/json');
  });
});

describe('the view of the agent', () => {
  const others = Object.keys(actions).filter(
    (name) => !['status', 'list', 'usage', 'audit-list', 'metrics'].includes(name),
  );

  it.each(others)('does not ask for %s', async (action) => {
    const { handler, asked } = fakeAgent();
    await expect(viewOf(handler)(action as keyof typeof actions)).rejects.toThrow(Refused);
    expect(asked).toEqual([]);
  });
});

describe('/openapi.json', () => {
  it('is a valid OpenAPI 3.1 document', async () => {
    const document = JSON.parse((await ask('/openapi.json')).body);
    const validator = new Validator();
    const { valid, errors } = await validator.validate(document);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  it('describes every route: an operation of its own name, each parameter, and what it answers', async () => {
    const document = JSON.parse((await ask('/openapi.json')).body);
    expect(Object.keys(document.paths)).toEqual([...routes.map(({ path }) => path), '/openapi.json']);
    for (const [path, operations] of Object.entries<Record<string, Record<string, never>>>(document.paths)) {
      expect(Object.keys(operations)).toEqual(['get']);
      const {
        operationId,
        summary,
        parameters = [],
        responses,
      } = operations['get'] as unknown as {
        operationId: string;
        summary: string;
        parameters?: { name: string; in: string; description: string; required: boolean }[];
        responses: Record<string, object>;
      };
      expect(operationId).toMatch(/^[a-z]\w+$/);
      expect(summary).toMatch(/\.$/);
      for (const parameter of parameters) expect(parameter.description.length).toBeGreaterThan(3);
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['200', '400', '403', '405', '421', '423', '503']));
    }
  });

  it('is what the answers are: each fits its schema', async () => {
    const document = JSON.parse((await ask('/openapi.json')).body);
    const ajv = new Ajv2020({ strict: false });
    for (const { path, contentType } of routes.filter((one) => one.contentType.startsWith('application/json'))) {
      const { schema } = document.paths[path].get.responses['200'].content[contentType.split(';')[0]!];
      const body = JSON.parse((await ask(path.replace('{id}', ID))).body);
      expect(ajv.validate(schema, body), `${path}: ${ajv.errorsText()}`).toBe(true);
    }
  });
});
