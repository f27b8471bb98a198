import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, test } from 'vitest';
import { agentItself } from '../../../daemon/socket/caller.ts';
import { call } from '../../../daemon/upstream/operations/call.ts';
import type { Plan, Reply } from '../../../daemon/upstream/plan.ts';
import { causeOf, type Manifest } from '../../../protocol/services/index.ts';
import { aRequest, plain } from '../../fakes/core.ts';
import { builtIn } from '../../fakes/services/scripted.ts';
import { RotationRig } from './rotation-rig.ts';

const host = 'pangolin.example';
const pangolin = builtIn.find(({ id }) => id === 'pangolin')!;
const URL_ = `https://${host}`;

/** What a service answers in the place of everything that a token asks. */
const refusal = (text: string, manifest: Manifest = pangolin, status = 401): Reply => ({
  status,
  cause: causeOf(manifest, { status, text }),
  read: {},
});

/** A held token, and a service that says this to every call until `says(undefined)`. */
async function aToken(text?: string) {
  const rig = new RotationRig('pangolin');
  const id = await rig.hold('admin', { kind: 'session', host });
  const says = (words: string | undefined) => {
    rig.service.around = async (when) => (when === 'before' && words !== undefined ? refusal(words) : undefined);
  };
  says(text);
  const whoami = () => rig.ask('remote-show', { id, what: 'whoami' });
  return { rig, id, says, whoami, value: rig.service.tokens[0]!.value };
}

describe('what a service said of a token', () => {
  test.each([
    ['revoked', 'Token has been revoked'],
    ['expired', 'token expired'],
  ] as const)('as %s is what the next get answers, with the remedy; git gets nothing', async (status, words) => {
    const { rig, id, whoami, value } = await aToken(words);
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    expect((await whoami()).status).toBe(status);
    const reply = await rig.core.agent.get(aRequest('get', { host, username: 'admin' }), agentItself);
    expect(reply).toMatchObject({ status, message: expect.stringContaining(`keyhold token set --for ${URL_}`) });
    const git = await rig.core.agent.get(
      aRequest('get', { host, username: 'admin', capabilities: plain }),
      agentItself,
    );
    expect(git).not.toHaveProperty('credential');
    expect(rig.audited).toMatchObject([{ action: 'verdict', outcome: status, credential: id }]);
    expect(rig.core.log.at(-1)).toContain('ended');
    expect([...rig.core.credentials.entries.all()]).toHaveLength(1);
  });

  it('rests, and is known to the next agent', async () => {
    const { rig, whoami } = await aToken('Token has been revoked');
    await whoami();
    const next = rig.reborn();
    await next.core.credentials.lifecycle.settled();
    expect(await next.get('admin', host)).toBe('revoked');
  });

  it('is cleared by a call that the service takes', async () => {
    const { rig, says, whoami, value } = await aToken('Token has been revoked');
    await whoami();
    expect(await rig.get('admin', host)).toBe('revoked');
    says(undefined);
    expect((await whoami()).status).toBe('ok');
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    expect(rig.audited.map(({ outcome }) => outcome)).toEqual(['revoked', 'ok']);
  });

  it('is cleared by another value, and by a tool that stores the value again because it works', async () => {
    for (const password of [undefined, 'another-EXAMPLE']) {
      const { rig, whoami, value } = await aToken('Token has been revoked');
      await whoami();
      const stored = password ?? value;
      expect(await rig.core.store({ host, username: 'admin', password: stored })).toBe('ok');
      expect(await rig.get('admin', host)).toBe(`admin ${stored}`);
    }
  });

  it('lets another token of the place that lives be given to who names none', async () => {
    const { rig, whoami } = await aToken();
    const id = await rig.hold('second', { kind: 'session', host });
    rig.service.around = async (when) => (when === 'before' ? refusal('Token has been revoked') : undefined);
    await rig.ask('remote-show', { id, what: 'whoami' });
    expect(await rig.core.get({ host })).toMatch(/^admin /);
    expect(whoami).toBeDefined();
  });

  it('is noted of a value that it was said of, and not of one that has taken its place meanwhile', async () => {
    const { rig, whoami } = await aToken();
    rig.service.around = async (when) => {
      if (when !== 'before') return undefined;
      await rig.core.store({ host, username: 'admin', password: 'newer-EXAMPLE' });
      return refusal('Token has been revoked');
    };
    expect((await whoami()).status).toBe('revoked');
    expect(await rig.get('admin', host)).toBe('admin newer-EXAMPLE');
  });

  it('in a list is taken for what it is: one that it has as inactive is not served', async () => {
    const { rig, id, value } = await aToken();
    const [known] = rig.service.tokens;
    rig.service.around = async (when, operation) =>
      when === 'before' && operation === 'list'
        ? { status: 200, read: {}, items: [{ id: known!.id, active: false }] }
        : undefined;
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    await rig.ask('remote-list', { protocol: 'https', host, service: 'pangolin' });
    expect(await rig.get('admin', host)).toBe('revoked');
    expect(id).toBeDefined();
  });
});

describe('what says nothing of a token', () => {
  test.each([
    ['a bare 401, which may be about an audience', refusal('unauthorized')],
    ['a 403', refusal('token has been revoked', pangolin, 403)],
    ['a 503', refusal('revoked', pangolin, 503)],
    ['an outage', { failure: 'late' } as Reply],
  ])('%s leaves it served', async (_, reply) => {
    const { rig, whoami, value } = await aToken();
    rig.service.around = async (when) => (when === 'before' ? reply : undefined);
    expect((await whoami()).status).not.toBe('ok');
    expect(await rig.get('admin', host)).toBe(`admin ${value}`);
    expect(rig.audited).toEqual([]);
  });

  test("a proxy's page with a 401 is none of the service's words, whatever stands in it", async () => {
    const server = createServer((_, response) =>
      response
        .writeHead(401, { 'content-type': 'text/html' })
        .end('<html>Your session was revoked or has expired</html>'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const plan: Plan = {
      operation: 'whoami',
      method: 'GET',
      origin,
      path: '/',
      values: {},
      deadline: 5_000,
      errors: pangolin.errors,
    };
    const { reply } = await call(plan, new Map());
    server.close();
    expect(reply).toMatchObject({ status: 401, isPage: true, cause: { outcome: 'interaction-required' } });
  });
});
