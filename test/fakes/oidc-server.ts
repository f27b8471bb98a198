import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A real authorization server on loopback, in a process of its own: refresh tokens rotate, and one that is used again ends its
 * whole family. The first argument is the lifetime of access tokens in seconds. It writes one line of JSON when it listens, and
 * one for each call of its token endpoint. Two programs are known to it, `keyhold` and `brief`, whose tokens are soon over, and a
 * client with a secret, `robot`.
 */
const lifetime = Number(process.argv[2] ?? 3_600);
/** Seconds that access tokens of the client `brief` live. */
const BRIEF = 8;
// It has no types of its own.
const library = 'oidc-provider';
const { default: Provider } = (await import(library)) as {
  default: new (issuer: string, options: object) => Oidc;
};
type Oidc = {
  callback(): (request: unknown, response: unknown) => void;
  use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): void;
  on(event: string, listener: (...args: never[]) => void): void;
};

type Context = {
  readonly oidc?: {
    readonly params?: { readonly grant_type?: string };
    readonly client?: { readonly clientId: string };
  };
  body?: Granted & { device_code?: string; interval?: number };
};

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

// It warns of keys and cookies that a test does not need to care for.
console.warn = () => {};
console.info = () => {};
/** A public client, as programs on people's machines are; RFC 8252 lets it choose its port. */
const program = (id: string) => ({
  client_id: id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/back'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
});
const lifetimeFor = (client?: { clientId: string }) => (client?.clientId === 'brief' ? BRIEF : lifetime);
const provider = new Provider(issuer, {
  clients: [
    program('keyhold'),
    program('brief'),
    {
      client_id: 'robot',
      client_secret: 'robot-secret-EXAMPLE-0123456789abcdef',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ],
  features: {
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
  },
  ttl: {
    AccessToken: (_: unknown, __: unknown, client?: { clientId: string }) => lifetimeFor(client),
    ClientCredentials: lifetime,
    RefreshToken: 86_400,
    Session: 86_400,
    Grant: 86_400,
  },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  findAccount: async (_: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});

const say = (document: object) => process.stdout.write(`${JSON.stringify(document)}\n`);
// It names no pause between two questions of a device, which would be five seconds then.
provider.use(async (context, next) => {
  await next();
  if (context.body?.device_code !== undefined) context.body.interval = 1;
});

type Granted = { readonly access_token?: string; readonly refresh_token?: string };
provider.on('grant.success', ((context: Context) =>
  say({
    granted: context.oidc?.params?.grant_type,
    access: context.body?.access_token,
    refresh: context.body?.refresh_token,
    until: Date.now() + lifetimeFor(context.oidc?.client) * 1_000,
  })) as never);
provider.on('grant.error', ((context: Context, error: { error?: string }) =>
  say({ refused: context.oidc?.params?.grant_type, error: error.error })) as never);

const answer = provider.callback();
server.on('request', answer);
say({ issuer });
