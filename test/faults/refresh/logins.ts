import { openVault } from '../../../daemon/backends/vault/vault.ts';
import { expose, heapSecret, secretFromText } from '../../../protocol/secret.ts';
import { configure } from '../../fakes/built-agent.ts';
import type { TokenServer } from '../../fakes/token-server.ts';
import { temporaryFolder } from '../../temporary.ts';

/** Seconds since the access tokens of these logins have ended. */
const OVER_SINCE = 60;

/** A KEYHOLD_HOME whose vault holds a login for each host, with an access token that is over. */
export async function homeWithLogins(server: TokenServer, names: readonly string[]) {
  const { path, remove } = temporaryFolder('refresh');
  configure(path, { backend: 'vault' });
  const vault = await openVault({ folder: `${path}/state`, keep: heapSecret });
  const now = Math.floor(Date.now() / 1_000);
  for (const name of names) {
    const { refresh } = server.begin(name);
    const oauth = {
      issuer: server.issuer,
      clientId: 'keyhold',
      tokenUrl: server.tokenUrl,
      by: 'refresh-token',
      lifetime: 3_600,
      round: 0,
    } as const;
    await vault.put(
      {
        protocol: 'https',
        host: hostOf(name),
        username: 'oauth2',
        id: idOf(name),
        storedAt: now - 3_600,
        expiresAt: now - OVER_SINCE,
        about: { oauth },
      },
      { secret: secretFromText(`access.${name}.over.EXAMPLE`), refreshToken: secretFromText(refresh) },
    );
  }
  await vault.dispose();
  return { path, remove };
}

export const hostOf = (name: string) => `${name}.invalid`;

/** The id of a login's credential: its name in hexadecimal. */
export const idOf = (name: string) => Buffer.from(name).toString('hex');

export type Resting = { readonly name: string; readonly refresh: string; readonly isUnknown: boolean };

/** What rests in a home after its agent has gone. */
export async function restingIn(home: string): Promise<readonly Resting[]> {
  const vault = await openVault({ folder: `${home}/state`, keep: heapSecret });
  const found: Resting[] = [];
  for (const held of await vault.list()) {
    // The agent keeps records of its own there too.
    if (!held.host.endsWith('.invalid')) continue;
    const secrets = await vault.get(held);
    const refresh = secrets?.refreshToken ? Buffer.from(expose(secrets.refreshToken)).toString() : '';
    const isUnknown = held.about?.oauth?.begunAt !== undefined;
    found.push({ name: held.host.split('.')[0]!, refresh, isUnknown });
  }
  await vault.dispose();
  return found;
}
