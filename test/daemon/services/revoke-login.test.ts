import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import type { Grant } from '../../../protocol/grant.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';

const target = { protocol: 'https', host: 'git.example', username: 'oauth2' };
const ACCESS = 'access-EXAMPLE';
const REFRESH = 'refresh-EXAMPLE';

/** What a provider says: to the end of a token and to the question whether it lives, a status or what it is. */
type Says = { readonly revoke?: (token: string) => number; readonly lives?: (token: string) => boolean | number };

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function aLogin({ revoke, lives }: Says) {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const token = new URLSearchParams(Buffer.concat(parts).toString()).get('token') ?? '';
    asked.push(`${request.url} ${token}`);
    const said = request.url === '/revoke' ? revoke!(token) : lives!(token);
    const error = said === 400 ? 'unsupported_token_type' : 'access_denied';
    const body = typeof said === 'boolean' ? { active: said } : { error };
    const [status, text] = [typeof said === 'number' ? said : 200, said === 200 ? '' : JSON.stringify(body)];
    response.writeHead(status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => server.close());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clock = new FakeClock();
  const backend = await openMemory({ keep: heapSecret });
  const login = await openLoginAgent({ open: async () => backend, clock });
  opened.push(() => login[Symbol.asyncDispose]());
  const oauth: Grant = {
    issuer,
    clientId: 'keyhold',
    tokenUrl: `${issuer}/token`,
    revokeUrl: revoke && `${issuer}/revoke`,
    introspectUrl: lives && `${issuer}/introspect`,
    by: 'refresh-token',
    lifetime: 3_600,
    round: 0,
  };
  const held = { ...target, id: 'a1', storedAt: clock.now(), expiresAt: clock.now() + 3_600, about: { oauth } };
  const secrets = { secret: secretFromText(ACCESS), refreshToken: secretFromText(REFRESH) };
  await login.credentials.changes.put(held, secrets);
  const attributes = new Attributes();
  attributes.add('id', 'a1');
  const reply = (await login.handler(aRequest('revoke', { attributes })))!;
  const { upstream, probe } = Object.fromEntries(reply.details ?? []);
  const get = shown(await login.agent.get(aRequest('get', target), agentItself));
  return { told: [reply.status, upstream, probe], get: get === `oauth2 ${ACCESS}` ? 'kept' : get, asked };
}

const ended = () => 200;

describe('a login that is ended at its provider', () => {
  // What the provider says to either question; what is told, and what a get finds here then.
  test.each<[string, Says, (string | undefined)[], string]>([
    ['takes neither any more', { revoke: ended, lives: () => false }, ['ok', 'revoked', 'dead'], 'revoked'],
    [
      'confirms and takes the access token on',
      { revoke: ended, lives: (token) => token === ACCESS },
      ['ok', 'revoked', 'alive'],
      'revoked',
    ],
    [
      'confirms and takes the refresh token on',
      { revoke: ended, lives: (token) => token === REFRESH },
      ['ok', 'revoked', 'alive'],
      'revoked',
    ],
    ['confirms and takes both on', { revoke: ended, lives: () => true }, ['ok', 'revoked', 'alive'], 'revoked'],
    [
      'confirms and does not say of the access token, and that the other lives',
      { revoke: ended, lives: (token) => (token === ACCESS ? 503 : true) },
      ['ok', 'revoked', 'alive'],
      'revoked',
    ],
    ['confirms and is down then', { revoke: ended, lives: () => 503 }, ['ok', 'revoked', 'none'], 'revoked'],
    ['confirms and lets nobody ask', { revoke: ended, lives: () => 401 }, ['ok', 'revoked', 'none'], 'revoked'],
    ['confirms and has no such question', { revoke: ended }, ['ok', 'revoked', 'none'], 'revoked'],
    [
      'ends the refresh token alone, and the access token lives',
      { revoke: (token) => (token === REFRESH ? 200 : 400), lives: (token) => token === ACCESS },
      ['ok', 'revoked', 'alive'],
      'revoked',
    ],
    ['is down', { revoke: () => 503, lives: () => true }, ['unavailable', undefined, undefined], 'kept'],
    ['does not let this program', { revoke: () => 403, lives: () => true }, ['denied', undefined, undefined], 'kept'],
    ['has no end for it', { revoke: () => 400, lives: () => true }, ['unsupported', undefined, undefined], 'kept'],
    ['has no such call', { lives: () => true }, ['unsupported', undefined, undefined], 'kept'],
  ])('which %s', async (_, says, told, found) => {
    const login = await aLogin(says);
    expect(login.told).toEqual(told);
    expect(login.get).toBe(found);
    // The refresh token first; and nothing is asked about what stays.
    if (says.revoke) expect(login.asked[0]).toBe(`/revoke ${REFRESH}`);
    expect(login.asked.some((one) => one.startsWith('/introspect'))).toBe(found !== 'kept' && says.lives !== undefined);
  });
});
