import { fields, type Operation, operations } from './manifest.ts';
import { count, list, oneOf, PLAIN, record, ref, type Schema } from './schema-terms.ts';

/** The names of some kinds of token. */
export const kindNames = (description: string) => list(ref('name'), description, { uniqueItems: true });

const summaries: Readonly<Record<Operation, string>> = {
  login: 'Signs in with user and password.',
  challenge: 'The second step of a login.',
  create: 'Makes a token.',
  list: "One's own tokens.",
  listUser: "Another user's tokens.",
  show: 'One token, by its id.',
  revoke: 'Ends a token, by its id.',
  revokeSelf: 'Ends the token that makes the call.',
  refresh: 'Trades a refresh token for a new token.',
  rotate: 'Trades the token for a new one in one call.',
  introspect: 'What the service says of the token.',
  whoami: 'Whose token it is; also the probe that tells whether it lives.',
  usage: 'How much it was used.',
  audit: "The service's own record of what happened.",
};

/** The calls that a service, or a kind of its tokens, may have. */
export const calls = Object.fromEntries(operations.map((name) => [name, ref('operation', summaries[name])]));

/** What a manifest's parts refer to: the forms that come up again and again. */
export const definitions: Readonly<Record<string, Schema>> = {
  port: {
    anyOf: [{ type: 'integer', minimum: 1, maximum: 65_535 }, { enum: ['any'] }],
    description: 'a number from 1 to 65535, or any',
  },
  id: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,31}$', description: 'a name of a-z, 0-9 and "-"' },
  name: {
    type: 'string',
    pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$',
    description: 'a name of letters, digits, "-", "_" and "."',
  },
  text: { type: 'string', minLength: 1, maxLength: 400, pattern: PLAIN, description: 'one line of text' },
  url: { type: 'string', minLength: 1, maxLength: 512, pattern: '^https?://', description: 'a URL' },
  base: {
    type: 'string',
    minLength: 1,
    maxLength: 512,
    pattern: '^(?:https?://|\\{origin\\})',
    description: 'a URL, or {origin} and a path',
  },
  template: { type: 'string', minLength: 1, maxLength: 256, pattern: PLAIN, description: 'text with {placeholders}' },
  pattern: { type: 'string', minLength: 1, maxLength: 256, description: 'a pattern' },
  pointer: {
    type: 'string',
    maxLength: 256,
    pattern: '^(?:/[ -.0-~]*)*$',
    description: 'a JSON pointer such as /data/id',
  },
  duration: {
    type: 'string',
    pattern: '^(?:never|[1-9][0-9]{0,9}[smhd])$',
    description: 'a duration such as 90d, 24h, 30m or never',
  },
  operation: {
    anyOf: [
      record({ none: ref('text', 'Why the service has no such thing.') }, ['none'], 'a reason why not'),
      record(
        {
          method: oneOf(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], 'The method.'),
          path: { type: 'string', pattern: '^/[!-~]{0,255}$', description: 'Behind `base`; may hold placeholders.' },
          kinds: kindNames('The kinds that may make the call; all without it.'),
          query: {
            type: 'object',
            propertyNames: { pattern: '^[!-~]{1,64}$' },
            additionalProperties: ref('template'),
            maxProperties: 20,
            description: 'Of the URL.',
          },
          body: {
            type: 'object',
            propertyNames: { pattern: '^[!-~]{1,64}$' },
            additionalProperties: { anyOf: [ref('template'), { type: 'integer' }, { type: 'boolean' }] },
            maxProperties: 20,
            description: 'Members of the JSON body. One whose placeholder has no value is left out.',
          },
          success: list(count(200, 299, 'A status.'), 'The statuses that mean success; any 2xx without it.'),
          items: ref('pointer', 'To the array of a list.'),
          fields: {
            type: 'object',
            propertyNames: { enum: fields },
            additionalProperties: { anyOf: [ref('pointer'), list(ref('pointer'), 'The first that leads to a value.')] },
            description:
              'JSON pointers into the answer, or into each of its items, by our names. A list, where versions of the service differ: the first that leads to a value counts.',
          },
          leaks: list(ref('pointer'), 'Token values that nobody asked for; they are dropped unseen.'),
          note: ref('text', 'What to know.'),
        },
        ['method', 'path'],
        'a call',
      ),
    ],
    description: 'a call (`method`, `path`, …) or `none: WHY`',
  },
};
