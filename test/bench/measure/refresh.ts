import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { heapSecret, secretFromText } from '../../../protocol/secret.ts';
import type { Measured } from '../figures.ts';
import { directRequest, target, token } from '../fixture.ts';
import type { Rig } from '../rig.ts';
import { median, ratioOf } from '../statistics.ts';
import { interleave } from './load.ts';

/** The host of the login. */
const LOGIN = 'login.example.com';
/** Seconds that its token still lives: so few that it is to be refreshed, and more than all of this takes. */
const LEFT = 440;
/** Seconds that the agent waits for the provider, as many as may be configured; the load is over before. */
const PATIENCE = 120;

/**
 * Gets of a login's token while its refresh is in flight, for all of the load, against gets of a token that is nobody's login: the
 * same agent, the same requests, turn by turn.
 */
export async function measureRefresh(rig: Rig): Promise<Map<string, Measured>> {
  let asked = 0;
  // It takes the question and keeps its answer to itself.
  const provider = createServer(() => asked++);
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  try {
    const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
    const config = { 'upstream.deadline': PATIENCE };
    await keepBoth(await rig.home('refresh', 'vault', config), issuer);
    const agent = await rig.agent('refresh', 'vault', 0, config);
    const loadOf = async (name: string, host: string) => {
      const request = await rig.write(name, directRequest.replace(target.host, host));
      return () => rig.load(agent, ['-q', request, '-e', token, '-n', '4000']);
    };
    const loads = { login: await loadOf('get-login', LOGIN), plain: await loadOf('get-plain', target.host) };
    const began = performance.now();
    const runs = await interleave(rig.rounds(15), loads);
    if (asked !== 1) throw new Error(`cannot measure a refresh in flight: the provider was asked ${asked} times`);
    if (performance.now() - began > PATIENCE * 1_000) throw new Error('cannot measure it: the refresh ended before');
    const series = (name: 'login' | 'plain', key: 'cpu' | 'rate') => runs.get(name)!.map((load) => load[key]);
    const of = (key: 'cpu' | 'rate', show: (value: number) => string): Measured => {
      const [login, plain] = [series('login', key), series('plain', key)];
      return {
        value: ratioOf(login, plain),
        note: `${show(median(login))} against ${show(median(plain))}, ${login.length} rounds`,
      };
    };
    return new Map([
      ['refresh/rate', of('rate', (rate) => `${(rate / 1_000).toFixed(1)} k/s`)],
      ['refresh/cpu', of('cpu', (cpu) => `${cpu.toFixed(1)} us`)],
    ]);
  } finally {
    provider.closeAllConnections();
    provider.close();
  }
}

/** A login whose token is due, and a credential beside it, both with the fixture's token. */
async function keepBoth(home: string, issuer: string): Promise<void> {
  const vault = await openVault({ folder: `${home}/state`, keep: heapSecret });
  const now = Math.floor(Date.now() / 1_000);
  const { protocol, host, username } = target;
  await vault.put({ protocol, host, username, id: 'a1', storedAt: now }, { secret: secretFromText(token) });
  const oauth = {
    issuer,
    clientId: 'keyhold',
    tokenUrl: `${issuer}/token`,
    by: 'refresh-token',
    lifetime: 3_600,
    round: 0,
  } as const;
  await vault.put(
    { protocol, host: LOGIN, username, id: 'b2', storedAt: now, expiresAt: now + LEFT, about: { oauth } },
    { secret: secretFromText(token), refreshToken: secretFromText('refresh-EXAMPLE') },
  );
  await vault.dispose();
}
