import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Attributes } from '../../protocol/attributes.ts';
import { connect } from '../../protocol/connect.ts';
import type { CredentialRequest, Handler } from '../../protocol/handler.ts';
import { expose, secretFromText } from '../../protocol/secret.ts';
import { serve } from '../../protocol/serve.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeStore } from '../fakes/store.ts';

const capabilities = { authtype: true, state: true, keyhold: true };

function aRequest(action: string, more: Partial<CredentialRequest> = {}): CredentialRequest {
  const target = ['get', 'store', 'erase'].includes(action) ? { protocol: 'https', host: 'example.com' } : undefined;
  return { action, target, capabilities, attributes: new Attributes(), ...more };
}

/** A handler behind a wire and in front of it again. */
function through(handler: Handler): Handler {
  const [caller, agent] = duplexPair();
  void serve(agent, handler);
  return connect(caller);
}

/** A caller's handler whose other end says exactly `text` to the first request, and closes if asked to. */
function scripted(text: string, close: boolean): Handler {
  const [caller, agent] = duplexPair();
  agent.once('data', () => {
    agent.write(text);
    if (close) agent.end();
  });
  return connect(caller);
}

describe('a handler through the wire', () => {
  it('stores, gives and erases as the handler itself does', async () => {
    const handler = through(new FakeStore(new FakeClock()).handler);
    const secret = secretFromText('hünter-EXAMPLE');
    const target = { protocol: 'https', host: 'example.com', username: 'ada' };
    expect(await handler(aRequest('store', { target, secret }))).toMatchObject({ status: 'ok' });
    const got = await handler(aRequest('get'));
    expect(got).toMatchObject({ status: 'ok', credential: { username: 'ada', host: 'example.com' } });
    expect(got.status === 'ok' && Buffer.from(expose(got.credential!.secret!)).toString()).toBe('hünter-EXAMPLE');
    expect(await handler(aRequest('erase'))).toMatchObject({ status: 'ok', details: [['erased', '1']] });
    expect(await handler(aRequest('get'))).toMatchObject({ status: 'not-found' });
  });

  it('answers many requests at once in their order', async () => {
    let count = 0;
    const handler = through(async () => {
      const number = count++;
      await sleep(number % 3);
      return { status: 'ok', details: [['n', String(number)]] };
    });
    const replies = await Promise.all(Array.from({ length: 300 }, () => handler(aRequest('list'))));
    expect(replies.map(({ details }) => details)).toEqual(replies.map((_, at) => [['n', String(at)]]));
  });

  it('carries a message in any script', async () => {
    const handler = through(async () => ({ status: 'locked', message: 'gesperrt – 鍵を開けて' }));
    expect(await handler(aRequest('get'))).toEqual({
      status: 'locked',
      message: 'gesperrt – 鍵を開けて',
      details: [],
    });
  });

  it('carries an answer of many megabytes', async () => {
    const line = 'x'.repeat(60_000);
    const handler = through(async () => ({
      status: 'ok',
      details: Array.from({ length: 100 }, () => ['item[]', line]),
    }));
    expect((await handler(aRequest('list'))).details?.length).toBe(100);
  });
});

describe('a wire that breaks', () => {
  it('refuses what it cannot say before it says anything', async () => {
    const handler = through(async () => ({ status: 'ok' }));
    const target = { protocol: 'https', host: 'a\nhost=evil.example' };
    await expect(handler(aRequest('get', { target }))).rejects.toMatchObject({ code: 'bad_request' });
    expect(await handler(aRequest('list'))).toMatchObject({ status: 'ok' });
  });

  it('fails what waits, and everything after it', async () => {
    const handler = scripted('', true);
    await expect(handler(aRequest('get'))).rejects.toMatchObject({ code: 'closed' });
    await expect(handler(aRequest('get'))).rejects.toMatchObject({ code: 'closed' });
  });

  it('tells the last answer before a close', async () => {
    const handler = scripted('status=bad-request\nmessage=cannot read the request: a line is too long\n', true);
    expect(await handler(aRequest('get'))).toMatchObject({ status: 'bad-request' });
  });

  it.each([true, false])('tells why it was turned away before it had asked (closed already: %j)', async (closed) => {
    const [caller, agent] = duplexPair();
    const handler = connect(caller);
    agent.write('status=unavailable\nmessage=too many connections at once; try again\n\n');
    if (closed) agent.end();
    await sleep(5);
    expect(await handler(aRequest('get'))).toMatchObject({
      status: 'unavailable',
      message: 'too many connections at once; try again',
    });
    if (closed) await expect(handler(aRequest('get'))).rejects.toMatchObject({ code: 'closed' });
  });

  it('takes no half answer', async () => {
    const handler = scripted('status=ok\nusername=ada\npassword=hunter-EX', true);
    await expect(handler(aRequest('get'))).rejects.toMatchObject({ code: 'closed' });
  });

  it('takes no answer that nobody asked for, or it would be the answer to the next request', async () => {
    const handler = scripted('status=not-found\n\nstatus=ok\nusername=eve\n\n', false);
    expect(await handler(aRequest('get'))).toMatchObject({ status: 'not-found' });
    await expect(handler(aRequest('get'))).rejects.toMatchObject({ code: 'bad_reply' });
  });

  it('takes no answer without a known status', async () => {
    await expect(scripted('username=ada\n\n', false)(aRequest('get'))).rejects.toMatchObject({ code: 'bad_reply' });
    await expect(scripted('status=fine\n\n', false)(aRequest('get'))).rejects.toMatchObject({ code: 'bad_reply' });
    await expect(scripted('status=ok\nuser\x00name=a\n\n', false)(aRequest('get'))).rejects.toMatchObject({
      code: 'bad_reply',
    });
  });
});
