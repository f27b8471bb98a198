import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the token endpoint of a stand-in answers to one question. */
export type Said = { readonly status?: number; readonly body: object };
/** What it was asked. */
export type Asked = { readonly form: URLSearchParams; readonly headers: IncomingHttpHeaders };

/**
 * A provider on loopback that says of itself where its endpoints are, gives out codes for devices, and answers at its token
 * endpoint what the test says; `metadata` changes its discovery document, `device` what it says with a device's code. It counts nothing and checks nothing: for that there is a real one (oidc.ts).
 */
export async function openLoginProvider(
  answer: (asked: Asked, count: number) => Said,
  metadata: object = {},
  device: object = {},
) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const say = ({ status = 200, body }: Said) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url === '/token') {
      const question = { form: new URLSearchParams(Buffer.concat(parts).toString()), headers: request.headers };
      asked.push(question);
      return void say(answer(question, asked.length));
    }
    if (request.url === '/device')
      return void say({ body: { ...code, verification_uri: `${issuer}/page`, ...device } });
    const at = (path: string) => `${issuer}/${path}`;
    say({
      body: {
        issuer,
        authorization_endpoint: at('page'),
        token_endpoint: at('token'),
        device_authorization_endpoint: at('device'),
        ...metadata,
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    /** The calls of the token endpoint. */
    asked,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const code = { device_code: 'device-EXAMPLE', user_code: 'WXYZ-2345', expires_in: 300, interval: 1 };

/** A pair of tokens as a provider gives it. */
export const aPair = (name: string): Said => ({
  body: {
    access_token: `${name}-EXAMPLE`,
    refresh_token: `r-${name}-EXAMPLE`,
    token_type: 'bearer',
    expires_in: 3_600,
  },
});

/** A refusal of the token endpoint (RFC 6749, 5.2). */
export const refusal = (error: string, status = 400): Said => ({ status, body: { error } });
