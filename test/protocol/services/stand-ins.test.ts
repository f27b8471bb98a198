import { describe, expect, test } from 'vitest';
import {
  authOf,
  type Cause,
  callOf,
  causeOf,
  checkFormat,
  fieldsIn,
  fill,
  fillMember,
  itemsIn,
  kindOf,
  type Manifest,
  type Operation,
  type Read,
  type Values,
} from '../../../protocol/services/index.ts';
import { openApkg } from '../../fakes/services/apkg.ts';
import { openPangolin } from '../../fakes/services/pangolin.ts';
import { service } from './manifests.ts';

/** Plays the calls of a manifest, by nothing but what it says, against the servers that stand in for the real ones. */
function player(manifest: Manifest, origin: string) {
  return async (operation: Operation, values: Values, as?: [token: string, kind: string], forKind?: string) => {
    const choice = callOf(manifest, operation, forKind === undefined ? undefined : kindOf(manifest, forKind));
    if (choice.status !== 'ok') throw new Error(choice.why);
    const { call } = choice;
    if (as && call.kinds) expect(call.kinds).toContain(as[1]);
    const base = fill(manifest.rest!.base, { ...values, origin })!;
    const body = Object.entries(call.body ?? {}).map(([name, template]) => [name, fillMember(template, values)]);
    const response = await fetch(`${base}${fill(call.path, values, encodeURIComponent)}`, {
      method: call.method,
      headers: { ...(call.body && { 'content-type': 'application/json' }), ...(as && headerFor(manifest, as)) },
      ...(call.body && { body: JSON.stringify(Object.fromEntries(body)) }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    const ok = call.success ? call.success.includes(response.status) : response.ok;
    const document: unknown = /^[[{]/.test(text) ? JSON.parse(text) : undefined;
    const cause: Cause | undefined = ok ? undefined : causeOf(manifest, { operation, status: response.status, text });
    return { cause, read: fieldsIn(call, document), items: itemsIn(call, document) };
  };
}

function headerFor(manifest: Manifest, [token, kind]: [string, string]): Record<string, string> {
  const auth = authOf(manifest, kindOf(manifest, kind)!)!;
  return auth.scheme === 'header' ? { [auth.name!]: token } : { authorization: `Bearer ${token}` };
}

const secretOf = ({ value }: Read) => value as string;
const bytes = (text: string) => new TextEncoder().encode(text);

describe("apkg's manifest", () => {
  test('signs in with a second factor, makes, lists and revokes a token (K4, K9, K10, K15, K17)', async () => {
    await using server = await openApkg({ mfa: true });
    const apkg = service('apkg');
    const play = player(apkg, server.url);
    const first = await play('login', { username: 'ada', password: 'password-EXAMPLE' });
    const { read: session } = await play('challenge', {
      challenge: first.read.challenge as string,
      code: server.totp(),
    });
    const as: [string, string] = [secretOf(session), 'session'];
    expect((await play('whoami', {}, as)).read.user).toBe('ada');
    const { read: made } = await play('create', { name: 'ci-deploy', scopes: ['publish'], lifetime: '30d' }, as);
    expect(checkFormat(apkg, bytes(secretOf(made)))).toMatchObject({ status: 'ok', kind: { name: 'ci' } });
    expect(made).toMatchObject({ name: 'ci-deploy', scopes: ['publish'], expiresAt: expect.any(String) });
    const { items } = await play('list', {}, as);
    expect(items).toMatchObject([{ id: made.id, name: 'ci-deploy', createdAt: expect.any(String) }]);
    expect((await play('revoke', { id: made.id as string }, as)).cause).toBeUndefined();
    expect(server.active()).toEqual([]);
    expect((await play('revoke', { id: made.id as string }, as)).cause).toMatchObject({ exit: 0, outcome: 'done' });
    expect((await play('whoami', {}, [secretOf(made), 'ci'])).cause).toMatchObject({ exit: 6 });
    expect((await play('login', { username: 'ada', password: 'wrong-EXAMPLE' })).cause).toMatchObject({ exit: 5 });
  });

  test('a token without the scope is refused and kept (K21)', async () => {
    await using server = await openApkg();
    const play = player(service('apkg'), server.url);
    const { read } = await play('login', { username: 'ada', password: 'password-EXAMPLE' });
    const { read: made } = await play('create', { name: 'ci', scopes: ['read'] }, [secretOf(read), 'session']);
    expect((await play('list', {}, [secretOf(made), 'ci'])).cause).toMatchObject({ exit: 5, outcome: 'denied' });
  });
});

describe("Pangolin's manifest", () => {
  const signIn = async (server: Awaited<ReturnType<typeof openPangolin>>, who: 'admin' | 'user') => {
    const { username, password, tenant } = server.users[who];
    const play = player(service('pangolin'), server.url);
    const { read } = await play('login', { username, password, tenant: tenant! });
    return { play, read, as: [secretOf(read), 'session'] as [string, string] };
  };

  test('signs in, knows the id of the token, lists without values, revokes (G1, G4, G6, G30)', async () => {
    await using server = await openPangolin();
    const pangolin = service('pangolin');
    const { play, read, as } = await signIn(server, 'admin');
    expect(read).toMatchObject({ user: 'tess', tenant: server.tenant, expiresAt: expect.any(String) });
    const checked = checkFormat(pangolin, bytes(as[0]));
    if (checked.status !== 'ok') throw new Error(checked.why);
    expect((await play('whoami', {}, as)).read).toMatchObject({ user: 'tess', tenant: server.tenant });
    // A login is in no list.
    expect((await play('list', {}, as)).items).toEqual([]);
    const mine = { tenant: server.tenant, username: 'tess', 'lifetime.hours': 1 };
    const { read: created } = await play('create', mine, as);
    const { items } = await play('list', {}, as);
    expect(items).toMatchObject([{ id: expect.any(String) }]);
    expect(JSON.stringify(items)).not.toContain(secretOf(created));
    const other = await signIn(server, 'user');
    await play('create', { ...mine, username: 'ada' }, as);
    const { items: theirs } = await play('listUser', { user: server.users.user.id }, as);
    const id = theirs?.[0]?.id as string;
    expect((await other.play('revoke', { id }, other.as)).cause).toMatchObject({ exit: 5 });
    expect((await play('revoke', { id }, as)).cause).toBeUndefined();
    expect(server.isAlive(id)).toBe(false);
    expect((await play('revoke', { id }, as)).cause).toBeUndefined();
    const cause = (await other.play('create', { ...mine, username: 'ada' }, other.as)).cause;
    expect(cause).toMatchObject({ exit: 5, cause: expect.stringContaining('only an administrator may create') });
    expect((await other.play('revokeSelf', {}, other.as)).cause).toBeUndefined();
    expect((await other.play('whoami', {}, other.as)).cause).toMatchObject({ exit: 8, outcome: 'revoked' });
    expect((await play('revokeSelf', {}, as)).cause).toBeUndefined();
    expect(server.isAlive(checked.id!)).toBe(false);
  });

  test('makes tokens, rotates them, and reads the record (G23, G25, G28)', async () => {
    await using server = await openPangolin();
    const { play, as } = await signIn(server, 'admin');
    const { read } = await play('create', { tenant: server.tenant, username: 'tess', 'lifetime.hours': 2_160 }, as);
    const { read: rotated } = await play('rotate', {}, [secretOf(read), 'session']);
    expect(secretOf(rotated)).not.toBe(secretOf(read));
    const { items } = await play('audit', {}, as);
    expect(items?.[0]).toMatchObject({ action: expect.any(String), at: expect.any(String), user: 'tess' });
  });

  test.each([
    ['a server of today', false],
    ['a server of before', true],
  ])("makes, lists, rotates and revokes service users' keys at %s (G13, G19)", async (_, isOld) => {
    await using server = await openPangolin({ isOld });
    const pangolin = service('pangolin');
    const { play, as } = await signIn(server, 'admin');
    const { read: made } = await play('create', { name: 'etl', 'lifetime.days': 90 }, as, 'service-key');
    expect(checkFormat(pangolin, bytes(secretOf(made)))).toMatchObject({ kind: { name: 'service-key' } });
    const key: [string, string] = [secretOf(made), 'service-key'];
    expect((await play('whoami', {}, key)).cause).toBeUndefined();
    const id = made.id as string;
    expect((await play('list', {}, as, 'service-key')).items).toMatchObject([{ id, name: 'etl', active: true }]);
    expect((await play('show', { id }, as, 'service-key')).read).toMatchObject({ id, name: 'etl' });
    const { read: rotated } = await play('rotate', { id }, as, 'service-key');
    expect((await play('whoami', {}, key)).cause).toMatchObject({ exit: 6 });
    expect((await play('whoami', {}, [secretOf(rotated), 'service-key'])).cause).toBeUndefined();
    expect((await play('revoke', { id }, as, 'service-key')).cause).toBeUndefined();
    expect((await play('whoami', {}, [secretOf(rotated), 'service-key'])).cause).toMatchObject({ exit: 6 });
  });
});
