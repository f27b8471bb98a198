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
    const idOf = (id: string) => [...rig.core.custody.held()].find((entry) => entry.id === id)?.about?.tokenId;
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
    expect(said['message']).toContain('keyhold token set --id ID');
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
