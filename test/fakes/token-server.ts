import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server knows of one family. */
export type TokenFamily = {
  /** The refresh token that it takes now. */
  refresh: string;
  /** The access token that it gave out last. */
  access: string | undefined;
  /** Calls that spent a refresh token. */
  spent: number;
  /** Calls with a refresh token that was spent before: each ends the family. */
  reused: number;
};

/**
 * A token endpoint on loopback, quick enough to be asked hundreds of times: refresh tokens rotate, and one that is used again
 * ends its family. What it counts is what went over the network.
 */
export async function openTokenServer({ lifetime = 3_600 } = {}) {
  const families = new Map<string, TokenFamily>();
  const hooks: {
    /** Called when a token was spent, with the answer not sent yet: it goes out when this settles. */
    spent?: ((name: string) => Promise<void> | void) | undefined;
  } = {};
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const given = new URLSearchParams(Buffer.concat(parts).toString()).get('refresh_token') ?? '';
    const [, name = ''] = given.split('.');
    const family = families.get(name);
    const answer = (status: number, document: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    if (!family) return void answer(400, { error: 'invalid_grant' });
    if (given !== family.refresh) {
      family.reused++;
      family.refresh = 'none';
      return void answer(400, { error: 'invalid_grant' });
    }
    family.spent++;
    family.refresh = tokenOf('refresh', name, family.spent);
    family.access = tokenOf('access', name, family.spent);
    const document = {
      access_token: family.access,
      refresh_token: family.refresh,
      token_type: 'bearer',
      expires_in: lifetime,
    };
    await hooks.spent?.(name);
    answer(200, document);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    tokenUrl: `${issuer}/token`,
    hooks,
    families,
    /** Begins a family, as a login does. Its name has no dot. */
    begin(name: string): TokenFamily {
      const family = { refresh: tokenOf('refresh', name, 0), access: undefined, spent: 0, reused: 0 };
      families.set(name, family);
      return family;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export type TokenServer = Awaited<ReturnType<typeof openTokenServer>>;

function tokenOf(kind: string, name: string, round: number): string {
  return `${kind}.${name}.${round}.EXAMPLE`;
}
