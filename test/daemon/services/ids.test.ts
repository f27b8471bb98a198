import { describe, expect, test } from 'vitest';
import { RotationRig } from './rotation-rig.ts';

const place = { protocol: 'https', host: 'api.apkg.ai', service: 'apkg' };

describe('a service where nobody is signed in', () => {
  test.each([
    ['create', { label: 'ci-deploy', kind: 'ci' }],
    ['remote-list', {}],
    ['revoke', { token_id: 'id-7' }],
  ])('is not called by %s: the answer is to sign in', async (action, fields) => {
    const rig = new RotationRig();
    const said = await rig.ask(action, { ...place, ...fields });
    expect(said).toMatchObject({ status: 'interaction-required' });
    expect(said['message']).toContain('keyhold auth login --service apkg');
    expect(rig.service.asked).toEqual([]);
  });
});

describe('the id of a token that was pasted', () => {
  /** Two pasted tokens, and a service whose list shows how each begins. */
  async function pasted() {
    const rig = new RotationRig();
    await rig.hold('session', { kind: 'session' });
    const [one, two] = [await rig.hold('one', { isListed: false }), await rig.hold('two', { isListed: false })];
    const prefixOf = (value: string) => `${value.slice(0, 8)}…`;
    const lists = (items: readonly { readonly id: string; readonly prefix: string }[]) => {
      rig.service.around = async (when, operation) =>
        when === 'before' && operation === 'list' ? { status: 200, read: {}, items } : undefined;
    };
    const list = () => rig.ask('remote-list', place);
    const idOf = (id: string) =>
      [...rig.core.credentials.entries.all()].find((entry) => entry.id === id)?.about?.tokenId;
    return { rig, one, two, prefixOf, lists, list, idOf };
  }

  test('is learnt from the list where one token alone begins like it, and it is listed once from then on', async () => {
    const { rig, one, two, prefixOf, lists, list, idOf } = await pasted();
    lists(rig.service.tokens.slice(1).map(({ id, value }) => ({ id, prefix: prefixOf(value) })));
    await list();
    expect([idOf(one), idOf(two)]).toEqual(['id-1', 'id-2']);
    rig.service.around = async () => undefined;
    expect(await rig.ask('revoke', { id: one })).toMatchObject({ status: 'ok', upstream: 'revoked' });
    expect(rig.service.alive()).not.toContain('apkg_one-1-EXAMPLE');
    expect(rig.service.alive()).toContain('apkg_two-2-EXAMPLE');
  });

  test.each([
    ['two listed ones begin like it', ['apkg_one', 'apkg_one']],
    ['what is shown is what all tokens begin with', ['apkg_', 'apkg_']],
  ])('is not guessed where %s', async (_, prefixes) => {
    const { one, two, lists, list, idOf } = await pasted();
    lists(prefixes.map((prefix, at) => ({ id: `x-${at}`, prefix })));
    await list();
    expect([idOf(one), idOf(two)]).toEqual([undefined, undefined]);
  });
});

describe('a question whether a token could be revoked', () => {
  test('is answered before anything is done, for one whose service has no such call', async () => {
    const rig = new RotationRig('pogodoc');
    const id = await rig.hold('web', { kind: 'pat', host: 'api.pogodoc.com' });
    expect(await rig.ask('revoke', { id, check: '1' })).toMatchObject({ status: 'unsupported' });
    expect(rig.service.asked).toEqual([]);
  });

  test('for one whose id is not known says how it is learnt', async () => {
    const rig = new RotationRig();
    await rig.hold('session', { kind: 'session' });
    const id = await rig.hold('ci', { isListed: false });
    rig.service.around = async (when, operation) =>
      when === 'before' && operation === 'list' ? { status: 200, read: {}, items: [] } : undefined;
    const said = await rig.ask('revoke', { id, check: '1' });
    expect(said).toMatchObject({ status: 'bad-request' });
    expect(said['message']).toContain(`keyhold token set --held ${id} --id ID`);
    expect(rig.service.asked).toEqual(['list']);
  });

  test('for one that can be changes nothing', async () => {
    const rig = new RotationRig();
    const id = await rig.hold('ci');
    expect(await rig.ask('revoke', { id, check: '1' })).toMatchObject({ status: 'ok' });
    expect(rig.service.asked).toEqual([]);
    expect(rig.service.alive()).toHaveLength(1);
  });
});

describe('the id of a pasted token whose service tells it to the token itself', () => {
  const host = 'pangolin.example';

  /** A service user's key that was pasted, beside an administrator's session, at a server that answers `whoami` with its id. */
  async function aKey() {
    const rig = new RotationRig('pangolin');
    await rig.hold('admin', { kind: 'session', host, made: 'login' });
    rig.service.prefix = 'pgl_';
    const id = await rig.hold('robot', { kind: 'service-key', host, isListed: false });
    const [, key] = rig.service.tokens;
    rig.service.holderOf = (value) => (value === key!.value ? { user: 'robot', tokenId: key!.id } : { user: 'admin' });
    const held = () => [...rig.core.credentials.entries.all()].find((entry) => entry.id === id)?.about;
    return { rig, id, key: key!, held };
  }

  test('is learnt by whoami, and that of the account is not taken for it', async () => {
    const { rig, id, key, held } = await aKey();
    await rig.ask('remote-show', { id, what: 'whoami' });
    expect(held()?.tokenId).toBe(key.id);
    const gitlab = new RotationRig('gitlab');
    const pat = await gitlab.hold('pat', { kind: 'pat', host: 'gitlab.com', isListed: false });
    gitlab.service.holderOf = () => ({ user: 'ada', id: 4711 });
    await gitlab.ask('remote-show', { id: pat, what: 'whoami' });
    expect([...gitlab.core.credentials.entries.all()][0]?.about?.tokenId).toBeUndefined();
  });

  test('is asked for by a list, which has the token once then', async () => {
    const { rig, key } = await aKey();
    const remoteList = { protocol: 'https', host, service: 'pangolin', kind: 'service-key' };
    rig.service.around = async (when, operation) =>
      when === 'before' && operation === 'list'
        ? { status: 200, read: {}, items: [{ id: key.id, name: 'another name' }] }
        : undefined;
    const said = await rig.ask('remote-list', remoteList);
    expect(JSON.parse(said['item[]']!)).toMatchObject({ state: 'both', tokenId: key.id });
  });

  test('is asked for by a revocation, which ends that token', async () => {
    const { rig, id, key } = await aKey();
    expect(await rig.ask('revoke', { id, check: '1' })).toMatchObject({ status: 'ok' });
    expect(await rig.ask('revoke', { id })).toMatchObject({ status: 'ok', upstream: 'revoked' });
    expect(key.isAlive).toBe(false);
    expect(rig.service.alive()).toHaveLength(1);
  });

  test('by introspect, of a service that answers the account in whoami', async () => {
    const rig = new RotationRig('gitlab');
    const id = await rig.hold('pat', { kind: 'pat', host: 'gitlab.com', isListed: false });
    rig.service.around = async (when, operation) =>
      when === 'before' && operation === 'introspect' ? { status: 200, read: { id: '4711', active: true } } : undefined;
    await rig.ask('remote-show', { id, what: 'introspect' });
    expect([...rig.core.credentials.entries.all()][0]?.about?.tokenId).toBe('4711');
  });

  test('is not noted of a value that was stored while the service was asked', async () => {
    const { rig, id, held } = await aKey();
    rig.service.around = async (when, operation) => {
      if (when === 'after' && operation === 'whoami') {
        await rig.core.store({ host, username: 'robot', password: 'pgl_newer-EXAMPLE' });
      }
      return undefined;
    };
    await rig.ask('remote-show', { id, what: 'whoami' });
    expect(held()?.tokenId).toBeUndefined();
  });
});

test('what to run where nothing tells the id names the server, the kind and the token', async () => {
  const rig = new RotationRig('pangolin');
  await rig.hold('admin', { kind: 'session', host: 'pangolin.example', made: 'login' });
  rig.service.prefix = 'pgl_';
  const id = await rig.hold('robot', { kind: 'service-key', host: 'pangolin.example', isListed: false });
  rig.service.around = async (when, operation) =>
    when === 'before' && operation === 'list' ? { status: 200, read: {}, items: [] } : undefined;
  const { message } = await rig.ask('revoke', { id });
  expect(message).toContain(
    'find it: keyhold token list --remote --service pangolin --for https://pangolin.example --kind service-key;',
  );
  expect(message).toContain(`note it: keyhold token set --held ${id} --id ID;`);
});
