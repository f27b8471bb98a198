import { statuses } from '../../protocol/status.ts';
import { pathParameters, type Route } from './route.ts';
import { object, type Schema, text } from './schema.ts';

/** What every answer but a good one is. */
export const failure = object({
  error: object({
    status: text('how it ended, in the words of the wire', {
      enum: Object.keys(statuses).filter((status) => status !== 'ok'),
    }),
    message: text('what, why, and what to do next'),
  }),
});

/** Answers that any route can give. */
const failures: Readonly<Record<string, string>> = {
  '400': 'The question does not fit its schema.',
  '403': 'A web page asked.',
  '404': 'There is none.',
  '405': 'Asked by another method than GET or HEAD.',
  '413': 'The request has a body.',
  '421': 'Asked for another host than localhost.',
  '423': 'The credentials are locked.',
  '503': 'The agent did not answer, or cannot serve.',
};

/** The OpenAPI 3.1 document of these routes and of itself. */
export function openApiOf(routes: readonly Route[], version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'keyhold: views of the agent',
      version,
      description: 'Read-only, on the Unix socket admin.sock. No answer ever holds a secret.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://localhost', description: 'over admin.sock: curl --unix-socket' }],
    security: [],
    paths: {
      ...Object.fromEntries(routes.map((route) => [route.path, { get: operationOf(route) }])),
      '/openapi.json': {
        get: {
          operationId: 'openapi',
          summary: 'This document.',
          responses: responsesOf('application/json', { type: 'object' }),
        },
      },
    },
    components: {
      schemas: { Failure: failure },
      responses: Object.fromEntries(
        Object.entries(failures).map(([code, description]) => [
          `Failure${code}`,
          { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } } },
        ]),
      ),
    },
  };
}

function operationOf({ path, id, summary, parameters, answer, contentType }: Route): object {
  const inPath = new Set(pathParameters(path));
  const required = new Set((parameters['required'] ?? []) as string[]);
  const asked = Object.entries((parameters['properties'] ?? {}) as Record<string, Schema>).map(([name, schema]) => {
    const { description, ...rest } = schema;
    return { name, in: inPath.has(name) ? 'path' : 'query', required: required.has(name), description, schema: rest };
  });
  return {
    operationId: id,
    summary,
    ...(asked.length > 0 ? { parameters: asked } : {}),
    responses: responsesOf(contentType.split(';')[0]!, answer),
  };
}

function responsesOf(contentType: string, schema: Schema): object {
  const others = Object.keys(failures).map(
    (code) => [code, { $ref: `#/components/responses/Failure${code}` }] as const,
  );
  return { '200': { description: 'The view.', content: { [contentType]: { schema } } }, ...Object.fromEntries(others) };
}
