import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Call, callOf, fieldsIn, itemsIn, kindOf } from '../../../protocol/services/index.ts';
import { service } from './manifests.ts';

const call = (parts: Partial<Call>): Call => ({ method: 'GET', path: '/x', ...parts });

describe('the field map of a call', () => {
  test('finds by JSON pointer, and leaves out what is not there or null', () => {
    const fields = { id: '/data/0/id', name: '/a~1b', user: '/~0', kind: '/none', scopes: '/null' };
    const answer = { data: [{ id: 7 }], 'a/b': 'x', '~': 'ada', null: null };
    expect(fieldsIn(call({ fields }), answer)).toEqual({ id: 7, name: 'x', user: 'ada' });
  });

  test('finds nothing of a prototype', () => {
    const fields = { id: '/constructor/name', name: '/__proto__/x', user: '/length' };
    expect(fieldsIn(call({ fields }), {})).toEqual({});
    expect(fieldsIn(call({ fields }), 'text')).toEqual({});
  });

  test('takes the first of several pointers that leads to a value, and drops one that leaks', () => {
    const fields = { id: ['/id', '/service_user_id'] };
    expect(fieldsIn(call({ fields }), { service_user_id: 'b' })).toEqual({ id: 'b' });
    expect(fieldsIn(call({ fields }), { id: null, service_user_id: 'b' })).toEqual({ id: 'b' });
    expect(fieldsIn(call({ fields }), { id: 'a', service_user_id: 'b' })).toEqual({ id: 'a' });
    expect(fieldsIn(call({ fields }), {})).toEqual({});
    const leaky = call({ fields: { id: '/id', name: ['/name', '/token'] }, leaks: ['/token'] });
    expect(itemsIn(leaky, [{ id: 'a', token: 'CANARYxEXAMPLE' }])).toEqual([{ id: 'a' }]);
  });

  test('reads each item of a list, wherever it is', () => {
    const fields = { id: '/id' };
    expect(itemsIn(call({ items: '/tokens', fields }), { tokens: [{ id: 'a' }, { id: 'b' }] })).toEqual([
      { id: 'a' },
      { id: 'b' },
    ]);
    expect(itemsIn(call({ fields }), [{ id: 'a' }])).toEqual([{ id: 'a' }]);
  });

  test.each([[{}], [{ tokens: 'x' }], [null], ['<html>'], [[]]])('says that %j is no list', (answer) => {
    expect(itemsIn(call({ items: '/tokens' }), answer)).toBeUndefined();
  });

  test('never reads a value out of a list, whatever the map says', () => {
    const map = call({
      fields: { id: '/id', value: '/token', refreshToken: '/token', name: '/token' },
      leaks: ['/token'],
    });
    expect(itemsIn(map, [{ id: 'a', token: 'CANARYxEXAMPLE' }])).toEqual([{ id: 'a' }]);
    const list = callOf(service('pangolin'), 'list');
    if (list.status !== 'ok') throw new Error(list.why);
    expect(JSON.stringify(itemsIn(list.call, [{ id: 'a', token: 'CANARYxEXAMPLE' }]))).not.toContain('CANARY');
  });

  test('does not mind what a service answers', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (answer, pointer) => {
        fieldsIn(call({ fields: { id: pointer } }), answer);
        itemsIn(call({ items: pointer, fields: { id: pointer } }), answer);
      }),
    );
  });
});

describe('callOf', () => {
  test("is the kind's own call, else the service's", () => {
    const pangolin = service('pangolin');
    expect(callOf(pangolin, 'create')).toMatchObject({ call: { path: '/api/v1/tokens' } });
    expect(callOf(pangolin, 'create', kindOf(pangolin, 'service-key'))).toMatchObject({
      call: { path: '/api/v1/service-users' },
    });
    expect(callOf(pangolin, 'whoami', kindOf(pangolin, 'service-key'))).toMatchObject({
      call: { path: '/api/v1/users/me' },
    });
  });

  test('says why there is none', () => {
    expect(callOf(service('pogo'), 'revoke')).toEqual({
      status: 'unsupported',
      why: expect.stringMatching(/^Pogo cannot revoke/),
    });
    expect(callOf(service('pogo'), 'audit')).toEqual({
      status: 'unsupported',
      why: 'Pogo has no known call for this (audit)',
    });
  });
});
