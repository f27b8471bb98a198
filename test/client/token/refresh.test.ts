import { describe, expect, test } from 'vitest';
import { ok, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { keyhold } from '../keyhold.ts';

const item = (id: string, label: string, host = 'api.apkg.ai') => ({
  ...{ id, label, host, protocol: 'https', service: 'apkg', kind: 'session', storedAt: 1_900_000_000 },
});
const list = ok([
  ['item[]', item('0123456789abcdef0123', 'laptop')],
  ['item[]', item('fedcba9876543210fedc', 'ci', 'apkg.example')],
]);

describe('token refresh', () => {
  test('trades any held token for a fresh one, named by label, id or place (G27)', async () => {
    await using agent = await startScriptedAgent({ list, refresh: ok([['expires_at', '1900003600']]) });
    const { code, stdout } = await keyhold(['token', 'refresh', 'ci'], agent);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'A fresh token is kept, until 2030-03-17 18:46.\n' });
    const { stdout: json } = await keyhold(['token', 'refresh', '0123', '--json'], agent);
    expect(JSON.parse(json)).toEqual({ refreshed: '0123456789abcdef0123', expiresAt: 1_900_003_600 });
    await keyhold(['token', 'refresh', '--for', 'https://apkg.example'], agent);
    const asked = agent.asked.filter(({ action }) => action === 'refresh').map(({ attributes }) => attributes['id']);
    expect(asked).toEqual(['fedcba9876543210fedc', '0123456789abcdef0123', 'fedcba9876543210fedc']);
  });

  test('ends as the agent says: 11 where the service has no call, 6 where somebody must sign in', async () => {
    for (const [status, exit] of [
      ['unsupported', 11],
      ['interaction-required', 6],
      ['unavailable', 10],
    ] as const) {
      await using agent = await startScriptedAgent({ list, refresh: { status, message: 'cannot refresh: why' } });
      expect(await keyhold(['token', 'refresh', 'ci'], agent)).toEqual({
        code: exit,
        stdout: '',
        stderr: 'keyhold: cannot refresh: why\n',
      });
    }
  });

  test('of nothing, or of several, names none', async () => {
    await using agent = await startScriptedAgent({ list });
    expect((await keyhold(['token', 'refresh', 'nobody'], agent)).code).toBe(4);
    expect((await keyhold(['token', 'refresh'], agent)).code).toBe(2);
  });
});
