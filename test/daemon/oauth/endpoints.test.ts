import { afterEach, describe, expect, test } from 'vitest';
import { openMemory } from '../../../daemon/backends/memory.ts';
import { strayEndpoint } from '../../../daemon/oauth/endpoints.ts';
import { Attributes } from '../../../protocol/attributes.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import type { Manifest } from '../../../protocol/services/index.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { aPair, openLoginProvider } from '../../fakes/login-provider.ts';
import { builtIn } from '../../fakes/services/scripted.ts';

const oidc = builtIn.find(({ id }) => id === 'oidc')!;
const issuer = 'https://id.example';
const provider = { issuer, clientId: 'keyhold', tokenUrl: `${issuer}/token` };

describe('an endpoint in a discovery document', () => {
  test.each([
    ['authorizeUrl', 'authorization endpoint'],
    ['deviceUrl', 'device authorization endpoint'],
    ['tokenUrl', 'token endpoint'],
    ['revokeUrl', 'revocation endpoint'],
    ['introspectUrl', 'introspection endpoint'],
  ])('%s on another host is found', (name, what) => {
    const stray = { ...provider, [name]: 'https://evil.example/x' };
    expect(strayEndpoint(stray, undefined)).toEqual({ what, origin: 'https://evil.example' });
    // That people run servers of their own does not make every server one of the service's.
    expect(strayEndpoint(stray, { ...oidc, selfHosted: true })).toEqual({ what, origin: 'https://evil.example' });
  });

  test.each([
    ['on another port', 'https://id.example:8443/token'],
    ['by another scheme', 'http://id.example/token'],
    ['on a host below', 'https://token.id.example/token'],
    ['with a user in it', 'https://id.example@evil.example/token'],
    ['with a backslash', 'https://id.example\\@evil.example/token'],
  ])('%s is another place', (_, tokenUrl) => {
    expect(strayEndpoint({ ...provider, tokenUrl }, undefined)).toMatchObject({ what: 'token endpoint' });
  });

  test('at the issuer, and on a host that the manifest lists, is taken', () => {
    expect(strayEndpoint({ ...provider, authorizeUrl: `${issuer}/a?tenant=1` }, undefined)).toBeUndefined();
    const listed: Manifest = { ...oidc, hosts: [{ host: 'oauth2.id.example' }] };
    expect(strayEndpoint({ ...provider, tokenUrl: 'https://oauth2.id.example/token' }, listed)).toBeUndefined();
  });
});

const target = { protocol: 'https', host: 'git.example' };
const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** An agent and a provider whose document has these members. */
async function atProvider(metadata: object, services: readonly Manifest[] = []) {
  const known = await openLoginProvider(() => aPair('two'), metadata);
  opened.push(() => known.close());
  const backend = await openMemory({ keep: heapSecret });
  const login = await openLoginAgent({ open: async () => backend, clock: new FakeClock(), services });
  opened.push(() => login[Symbol.asyncDispose]());
  const step = async (action: string, fields: Record<string, string>) => {
    const attributes = new Attributes();
    for (const [key, value] of Object.entries(fields)) {
      attributes.add(key, key === 'password' || key === 'code' ? secretFromText(value) : value);
    }
    const reply = (await login.handler(aRequest(action, { ...target, attributes })))!;
    return { ...Object.fromEntries(reply.details ?? []), status: reply.status, message: reply.message ?? '' };
  };
  const own = { issuer: known.issuer, client_id: 'keyhold' };
  return { known, step, own };
}

describe('a login', () => {
  test("whose document sends the client's secret to another host sends it to nobody, and says where it would have gone", async () => {
    const other = await openLoginProvider(() => aPair('stolen'));
    opened.push(() => other.close());
    const { known, step, own } = await atProvider({ token_endpoint: `${other.issuer}/token` });
    const said = await step('authorize', { way: 'client', password: 'robot-EXAMPLE', ...own });
    expect(said).toMatchObject({ status: 'denied' });
    expect(said.message).toContain(`a token endpoint on ${other.issuer}`);
    expect(said.message).toContain('keyhold service add');
    expect([...other.asked, ...known.asked]).toEqual([]);
  });

  test('goes there where the manifest lists that host', async () => {
    const other = await openLoginProvider(() => aPair('two'));
    opened.push(() => other.close());
    const port = Number(other.issuer.split(':').at(-1));
    const manifest: Manifest = { ...oidc, id: 'mine', hosts: [{ protocol: 'http', host: '127.0.0.1', port }] };
    const { step, own } = await atProvider({ token_endpoint: `${other.issuer}/token` }, [manifest]);
    const said = await step('authorize', { way: 'client', password: 'robot-EXAMPLE', service: 'mine', ...own });
    expect(said).toMatchObject({ status: 'ok' });
    expect(other.asked).toHaveLength(1);
  });
});

describe("a browser's way back (RFC 9207)", () => {
  const names = { authorization_response_iss_parameter_supported: true };
  const redirect = 'http://127.0.0.1:9/back';

  test.each([
    ['without iss, from a provider that always names it', names, undefined, 'denied'],
    ['with the iss of another', names, 'https://evil.example', 'denied'],
    ['with the iss of another, from one that need not name it', {}, 'https://evil.example', 'denied'],
    ['with its own iss', names, 'own', 'ok'],
    ['without iss, from one that need not name it', {}, undefined, 'ok'],
  ])('%s', async (_, metadata, iss, status) => {
    const { known, step, own } = await atProvider(metadata);
    const begun = (await step('authorize', { way: 'browser', redirect, ...own })) as Record<string, string>;
    expect(begun['status']).toBe('ok');
    const back = { login: begun['login']!, state: begun['state']!, code: 'code-EXAMPLE' };
    const named = iss === 'own' ? known.issuer : iss;
    expect(await step('authorized', { ...back, ...(named !== undefined && { issuer: named }) })).toMatchObject({
      status,
    });
    expect(known.asked).toHaveLength(status === 'ok' ? 1 : 0);
  });
});
