import { describe, expect, test } from 'vitest';
import { RotationRig } from './rotation-rig.ts';

const host = 'pangolin.example';
const at = { protocol: 'https', host, service: 'pangolin' };

/** A service that calls the account of ada@mail.example `ada`. */
function aService() {
  const rig = new RotationRig('pangolin');
  rig.service.logins.set('ada@mail.example', 'ada').set('ada', 'ada');
  rig.service.holderOf = () => ({ user: 'ada' });
  const login = (account: string) => rig.ask('login', { ...at, account, password: 'password-EXAMPLE' });
  const held = () => [...rig.core.credentials.entries.all()].map(({ username, made }) => [username, made]);
  return { rig, login, held };
}

describe('a login by another name than the service has for the account', () => {
  test('is kept under the name that the service has', async () => {
    const { rig, login, held } = aService();
    expect(await login('ada@mail.example')).toMatchObject({ status: 'ok' });
    expect(held()).toEqual([['ada', 'login']]);
    expect(await rig.get('ada', host)).toContain('ada ');
  });

  test.each([
    ['the answer to the login', true],
    ['whoami', false],
  ])('replaces no token of that name unasked, where %s says it', async (_, tellsUser) => {
    const { rig, login, held } = aService();
    rig.service.tellsUser = tellsUser;
    await rig.core.store({ host, username: 'ada', password: 'by-hand-EXAMPLE', made: 'set' });
    const [before] = [...rig.core.credentials.entries.all()];
    const said = await login('ada@mail.example');
    expect(said).toMatchObject({ status: 'interaction-required', replaces: before!.id, account: 'ada' });
    expect(await rig.get('ada', host)).toBe('ada by-hand-EXAMPLE');
    expect(await rig.ask('login', { login: said['login']!, replace: before!.id })).toMatchObject({ status: 'ok' });
    expect(held()).toEqual([['ada', 'login']]);
    expect(await rig.get('ada', host)).not.toContain('by-hand');
  });

  test('that is not agreed to is ended at the service, and its handle with it', async () => {
    const { rig, login } = aService();
    await rig.core.store({ host, username: 'ada', password: 'by-hand-EXAMPLE', made: 'imported' });
    const handle = (await login('ada@mail.example'))['login']!;
    expect(rig.service.alive()).toHaveLength(1);
    expect(await rig.ask('login', { login: handle, drop: '1' })).toMatchObject({ status: 'ok', upstream: 'revoked' });
    expect(rig.service.alive()).toEqual([]);
    expect(await rig.get('ada', host)).toBe('ada by-hand-EXAMPLE');
    expect(await rig.ask('login', { login: handle, replace: 'any' })).toMatchObject({ status: 'not-found' });
  });

  test('replaces an earlier login of that account unasked', async () => {
    const { rig, login, held } = aService();
    await login('ada');
    const [before] = rig.service.tokens;
    expect(await login('ada@mail.example')).toMatchObject({ status: 'ok' });
    expect(held()).toEqual([['ada', 'login']]);
    expect(await rig.get('ada', host)).not.toContain(before!.value);
  });

  test('that was agreed to leaves what another one stored in the place meanwhile', async () => {
    const { rig, login } = aService();
    await rig.core.store({ host, username: 'ada', password: 'by-hand-EXAMPLE', made: 'set' });
    const said = await login('ada@mail.example');
    await rig.core.erase({ host });
    await rig.core.store({ host, username: 'ada', password: 'newer-EXAMPLE', made: 'set' });
    const kept = await rig.ask('login', { login: said['login']!, replace: said['replaces']! });
    expect(kept).toMatchObject({ status: 'denied', message: expect.stringContaining('that one stays') });
    expect(await rig.get('ada', host)).toBe('ada newer-EXAMPLE');
  });
});

test('a session that its service refuses at once takes the place of none', async () => {
  const { rig, login } = aService();
  rig.service.tellsUser = false;
  await login('ada');
  const before = await rig.get('ada', host);
  rig.service.makesDead = true;
  expect(await login('ada')).toMatchObject({ status: 'interaction-required' });
  expect(await rig.get('ada', host)).toBe(before);
});
