import { describe, expect, onTestFinished, test } from 'vitest';
import { agentItself } from '../../../daemon/socket/caller.ts';
import type { Grant } from '../../../protocol/grant.ts';
import { secretFromText } from '../../../protocol/secret.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { aRequest, shown } from '../../fakes/core.ts';
import { openLoginAgent } from '../../fakes/login-agent.ts';
import { openTokenServer } from '../../fakes/token-server.ts';
import { openSession } from './harness.ts';
import { needKeyring } from './need.ts';

const HOUR = 3_600;
const target = { protocol: 'https', host: 'git.example', username: 'oauth2' };
const ITEM = 'service https://git.example username oauth2';

describe.skipIf(!needKeyring())('a newer access token that another program has put into the keyring', () => {
  test('is adopted and served, not overwritten, and our own way to the next one stays', async () => {
    const server = await openTokenServer();
    onTestFinished(() => server.close());
    await using open = await openSession();
    const { session, backend } = open;
    const clock = new FakeClock();
    const login = await openLoginAgent({ open: async () => backend, clock });
    onTestFinished(() => login.refresher.dispose());
    const family = server.begin('ada');
    const oauth: Grant = {
      issuer: server.issuer,
      clientId: 'keyhold',
      tokenUrl: server.tokenUrl,
      by: 'refresh-token',
      lifetime: HOUR,
      round: 0,
    };
    const held = { ...target, id: 'a1', storedAt: clock.now(), expiresAt: clock.now() + HOUR, about: { oauth } };
    const secrets = { secret: secretFromText('one-EXAMPLE'), refreshToken: secretFromText(family.refresh) };
    await login.credentials.changes.put(held, secrets);
    const get = async () => shown(await login.agent.get(aRequest('get', target), agentItself));
    const rests = () => session.run('sh', '-c', `secret-tool lookup ${ITEM}`);

    await login.refresher.refresh(login.credentials.entries.at(target)!);
    expect(await get()).toBe(`oauth2 ${family.access}`);
    expect(await rests()).toBe(family.access);
    await session.run('sh', '-c', `printf theirs-EXAMPLE | secret-tool store --label=theirs ${ITEM}`);
    clock.advance(HOUR);
    expect(await get()).toBe('oauth2 theirs-EXAMPLE');
    expect(await rests()).toBe('theirs-EXAMPLE');
    expect(family).toMatchObject({ spent: 1, reused: 0 });

    const refused = aRequest('erase', { ...target, password: 'theirs-EXAMPLE' });
    expect((await login.agent.erase(refused, agentItself)).status).toBe('ok');
    expect(await get()).toBe(`oauth2 ${family.access}`);
    expect(await rests()).toBe(family.access);
    expect(family).toMatchObject({ spent: 2, reused: 0 });
  });
});
