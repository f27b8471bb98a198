import { endpointForms, fields, operations } from './manifest.ts';
import { calls, definitions, kindNames } from './schema-definitions.ts';
import { count, list, oneOf, record, ref, type Schema, yes } from './schema-terms.ts';

const lifetimes = (description: string) =>
  record(
    {
      allowed: list(ref('duration'), 'The only ones that the service takes.', { uniqueItems: true }),
      default: ref('duration', 'What it is when none is asked for.'),
      max: ref('duration', 'The longest.'),
    },
    [],
    description,
  );

const gitUsername = (description: string): Schema => ({ type: 'string', pattern: '^[!-9;-~]{1,64}$', description });

/** The schema of a manifest. Strict: a field that is not here is an error, because it is a slip of the pen. */
export const manifestSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A keyhold service manifest',
  ...record(
    {
      id: ref('id', 'What commands call it.'),
      title: ref('text', 'Its name for people.'),
      urls: record(
        {
          dashboard: ref('url', 'Where tokens are managed.'),
          create: ref('url', 'Where a token is made.'),
          docs: ref('url', 'What the service says about its tokens.'),
          status: ref('url', 'Whether it is up.'),
          support: ref('url', 'Whom to ask.'),
        },
        [],
        'Pages for people; `keyhold service open` opens them.',
      ),
      hosts: list(
        record(
          {
            protocol: {
              type: 'string',
              pattern: '^[a-z][a-z0-9+.-]{0,31}$',
              description: '`https` unless said otherwise. `http` is for this machine only.',
            },
            host: {
              type: 'string',
              minLength: 1,
              maxLength: 253,
              description:
                'Exact, or `*.example.org` for one label before it; `*` alone only for a protocol of its own.',
            },
            port: ref('port', "A number, or `any`. Without it: the protocol's own (443, 80)."),
            path: { type: 'string', minLength: 1, maxLength: 256, description: 'That path and what lies below it.' },
          },
          ['host'],
          'A place.',
        ),
        'The places that are the service. A token goes to no other. May be empty with `selfHosted: true`.',
        { minItems: 0 },
      ),
      selfHosted: yes('People run servers of their own: a token may be kept for hosts that are not listed.'),
      scope: list(
        oneOf(['host', 'port', 'path', 'account', 'tenant', 'registry'], 'A part.'),
        'What tells two of its tokens apart.',
        { uniqueItems: true },
      ),
      kinds: list(
        record(
          {
            name: ref('name', 'Such as `pat`, `session`, `ci`, `service-key`, `oauth`.'),
            title: ref('text', 'For people.'),
            format: record(
              {
                pattern: ref('pattern', 'The form of the whole value.'),
                prefixes: list({ type: 'string', pattern: '^[!-~]{1,64}$' }, 'One of these begins it.', {
                  uniqueItems: true,
                }),
                length: record(
                  { min: count(1, 65_536, 'At least.'), max: count(1, 65_536, 'At most.') },
                  [],
                  'Characters.',
                ),
                alphabet: oneOf(['visible', 'alphanumeric', 'hex', 'base64', 'base64url'], 'Which characters.'),
                decode: oneOf(['base64', 'jwt'], '`base64` takes both alphabets, padded or not: they are one token.'),
                decodedLength: count(1, 49_152, 'Bytes that base64 decodes to.'),
                idClaim: ref('name', "The JWT's claim that is the token's id."),
                expiryClaim: ref('name', "The JWT's claim that is its expiry, as seconds since 1970."),
              },
              [],
              'How a value looks; it is checked before it is stored.',
            ),
            lifetimes: lifetimes('Instead of `limits.lifetimes`, for this kind.'),
            memoryOnly: yes('It is held in memory and never at rest.'),
            gitUsername: gitUsername("In place of the service's own."),
            rest: record(calls, [], "Calls for this kind, in place of the service's own: the operations of `rest`."),
          },
          ['name'],
          'A kind of token.',
        ),
        'The kinds of token, the usual one first.',
        { maxItems: 16 },
      ),
      auth: list(
        record(
          {
            scheme: oneOf(
              ['bearer', 'token', 'basic', 'header', 'raw', 'grpc'],
              '`header` and `grpc` need `name`, `basic` may have `username`; `raw` is the bare value in Authorization.',
            ),
            name: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,63}$', description: 'Of the header or field.' },
            username: { type: 'string', pattern: '^[!-9;-~]{1,64}$', description: 'What stands for the user name.' },
            kinds: kindNames('The kinds that go this way; all without it.'),
          },
          ['scheme'],
          'A way.',
        ),
        'How a token goes on the wire: the first way that fits its kind.',
        { maxItems: 16 },
      ),
      gitUsername: gitUsername('The username that git sends with a token which is kept without one.'),
      env: record(
        {
          variables: list(
            record(
              {
                name: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$', description: 'Its name.' },
                holds: oneOf(
                  ['token', 'endpoint', 'username', 'account', 'project', 'profile', 'tenant', 'output', 'fixed'],
                  'What it is for.',
                ),
                value: {
                  type: 'string',
                  pattern: '^[ -~]{0,256}$',
                  description:
                    "What a `fixed` one holds; of an `endpoint` how the service's own server is written, with `{origin}` and `{host}`.",
                },
                form: oneOf(
                  [...endpointForms],
                  'How an `endpoint` writes a server: HOST[:PORT], SCHEME://HOST[:PORT], this with the path, or the path. Without it an origin, and a server that the profile names with its path.',
                ),
                kinds: kindNames('The kinds that it may hold; all without it.'),
                alsoSet: yes('Set beside the first that holds the same, for programs that read only this one.'),
                note: ref('text', 'What to know.'),
              },
              ['name', 'holds'],
              'A variable.',
            ),
            "Of those that hold the same, the first wins in the service's own program.",
            { minItems: 0 },
          ),
          precedence: list(
            oneOf(['flag', 'environment', 'file', 'keyring', 'helper'], 'A place.'),
            'Where its own program looks for a token, as it really does; the first that has one wins.',
            { uniqueItems: true },
          ),
          deviations: list(
            record(
              {
                documented: ref('text', 'What the documents say.'),
                real: ref('text', 'What happens.'),
                fix: ref('text', 'What to do about it.'),
              },
              ['documented', 'real'],
              'A difference.',
            ),
            'Where documents and program differ.',
          ),
        },
        ['variables'],
        'Environment variables, and who wins.',
      ),
      files: list(
        record(
          {
            path: {
              type: 'string',
              pattern: '^(?:~|\\{config\\})/[ -~]{1,255}$',
              description: 'Begins with `~/` or `{config}/`; may hold `{profile}`.',
            },
            format: oneOf(['json', 'yaml', 'toml', 'ini', 'netrc', 'npmrc', 'binary'], 'How it is written.'),
            fields: {
              type: 'object',
              propertyNames: { enum: fields },
              additionalProperties: ref('pointer'),
              description: 'JSON pointers to what it holds, by our names; `*` is every member.',
            },
            mode: {
              type: 'string',
              pattern: '^0[0-7]{3}$',
              description: 'The most that its mode may be, as `"0600"`.',
            },
            clearable: yes('`keyhold auth logout` may take these fields out of it.'),
          },
          ['path', 'format'],
          'A file.',
        ),
        'Files in which its own program keeps a token.',
      ),
      keyring: record(
        { service: ref('template', 'Of the item.'), account: ref('template', 'Of the item.') },
        ['service', 'account'],
        'The item in which its own program keeps a token in a keyring.',
      ),
      context: list(
        record(
          {
            gives: oneOf(['server', 'registry', 'project', 'account'], 'What is found there.'),
            from: oneOf(['file', 'git-remote'], 'A file here or in a folder above, or the remotes of git.'),
            path: { type: 'string', pattern: '^[A-Za-z0-9._][A-Za-z0-9._/-]{0,127}$', description: 'The file.' },
            format: oneOf(['json', 'yaml', 'toml', 'ini', 'npmrc', 'sqlite'], 'How it is written.'),
            pointer: ref('pointer', 'Where in it; `/TABLE/KEY` of a table of keys and values for `sqlite`.'),
          },
          ['gives', 'from'],
          'A way.',
        ),
        'How the server or project is found from the working directory; the first that finds something.',
      ),
      login: list(
        record(
          {
            way: oneOf(['paste', 'stdin', 'password', 'browser', 'device'], 'How.'),
            kind: ref('name', 'The kind that it yields.'),
            secondFactor: list(
              oneOf(['totp', 'recovery-code'], 'A factor.'),
              'What may be asked for after a password.',
              {
                uniqueItems: true,
              },
            ),
          },
          ['way'],
          'A way.',
        ),
        'The ways to sign in, the best one first. `paste` opens `urls.create` first.',
      ),
      oauth: record(
        {
          issuer: ref('base', 'Whose discovery document tells the rest.'),
          authorize: ref('base', 'The authorization endpoint.'),
          device: ref('base', 'The device authorization endpoint.'),
          token: ref('base', 'The token endpoint.'),
          revoke: ref('base', 'The revocation endpoint.'),
          introspect: ref('base', 'The introspection endpoint.'),
          clientId: { type: 'string', pattern: '^[!-~]{1,256}$', description: 'Of a public client: no secret.' },
          grants: list(
            oneOf(['authorization-code', 'device', 'client-credentials', 'refresh', 'token-exchange'], 'A grant.'),
            'The grants that it offers.',
            { uniqueItems: true },
          ),
          scopes: list({ type: 'string', pattern: '^[!#-\\[\\]-~]{1,128}$' }, 'What is asked for.', {
            uniqueItems: true,
          }),
          rotates: yes('A refresh spends the refresh token.'),
          leeway: ref('duration', 'How long before its expiry a token is refreshed.'),
        },
        ['grants'],
        'OAuth 2 endpoints.',
      ),
      rest: record(
        {
          base: ref('base', "What every path follows: a URL, or `{origin}`, the target's own."),
          ...calls,
        },
        ['base'],
        'The calls that may be made. One that is not there ends with exit 11, as does `none: WHY`.',
      ),
      limits: record(
        {
          active: count(1, 100_000, 'Tokens that may be active at once.'),
          name: record(
            {
              min: count(1, 256, 'Characters, at least.'),
              max: count(1, 256, 'Characters, at most.'),
              pattern: ref('pattern', 'The form of the whole name.'),
            },
            [],
            'What a name may be.',
          ),
          lifetimes: lifetimes('How long a token may live.'),
        },
        [],
        'What the service allows; checked before any call.',
      ),
      life: record(
        {
          shownOnce: yes('The value is shown when it is made and never again.'),
          restorable: yes('A revoked token can be brought back.'),
          revoke: oneOf(['immediate', 'delayed'], 'When a revocation takes effect.'),
          recheck: list(
            ref('duration'),
            'How long after a revocation to probe again that the token is dead; the agent does, where it has `rest.whoami`.',
          ),
          note: ref('text', 'What to know.'),
        },
        [],
        'What becomes of a token.',
      ),
      errors: list(
        record(
          {
            operation: oneOf(operations, 'Only then.'),
            status: count(100, 599, 'The HTTP status.'),
            code: { type: 'string', pattern: '^[!-~]{1,128}$', description: "The service's own code, exactly." },
            text: ref('text', 'A part of the answer, whatever its case.'),
            cause: ref('text', 'What is wrong, for people.'),
            next: ref('text', 'What to do next.'),
            outcome: oneOf(
              [
                'done',
                'bad-request',
                'not-found',
                'denied',
                'interaction-required',
                'expired',
                'revoked',
                'limit-reached',
                'unavailable',
                'unsupported',
              ],
              'How it ends. `revoked` and `expired` say that the token is dead; `done` that all is well.',
            ),
          },
          ['cause', 'outcome'],
          'A rule; all that it gives must hold.',
        ),
        'What its answers mean, the first rule that holds. Without one the HTTP status speaks.',
        { maxItems: 100 },
      ),
      policy: record(
        {
          rotateEvery: ref('duration', 'How old a token may become.'),
          warnBefore: ref('duration', 'How long before its expiry to warn.'),
          unusedAfter: ref('duration', 'When one that nobody uses is called unused.'),
          perEnvironment: yes('A token for each environment: development, staging, production.'),
        },
        [],
        'What reminders go by.',
      ),
    },
    ['id', 'title', 'hosts', 'scope', 'kinds', 'auth'],
    'A service and its tokens, as data.',
  ),
  $defs: definitions,
};
