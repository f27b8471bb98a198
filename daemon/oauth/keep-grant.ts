import { randomBytes } from 'node:crypto';
import { type About, mergeAbout } from '../../protocol/about.ts';
import type { Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import type { Held, Secrets } from '../backends/backend.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Meant, SignInParts } from './login-wanted.ts';
import type { OAuthReply } from './oauth-plan.ts';
import { lifetimeOf } from './schedule.ts';

/** What git needs as a name beside a token: servers that take OAuth tokens look at the token alone. */
const USERNAME = 'oauth2';

type Given = Extract<OAuthReply, { oauth: unknown }>['oauth'];

/** Keeps what a login gave, in the place of an earlier one for the same target. The secrets are borrowed. */
export async function keepGrant(
  { custody, marks, clock }: Pick<SignInParts, 'custody' | 'marks' | 'clock'>,
  { target, manifest, provider, scopes, leeway }: Meant,
  { expiresIn, scopes: granted, subject }: Given,
  by: Grant['by'],
  secrets: Secrets,
): Promise<Entry> {
  const place = { ...target, username: target.username ?? USERNAME };
  const lifetime = lifetimeOf(expiresIn);
  const oauth: Grant = {
    issuer: provider.issuer,
    clientId: provider.clientId,
    tokenUrl: provider.tokenUrl!,
    revokeUrl: provider.revokeUrl,
    introspectUrl: provider.introspectUrl,
    by,
    scopes,
    subject,
    lifetime,
    leeway,
    rotates: by === 'client-secret' ? false : manifest?.oauth?.rotates,
    round: 0,
  };
  const about: About = {
    service: manifest?.id,
    kind: oauthKindOf(manifest),
    origin: 'signed in with keyhold',
    account: subject,
    scopes: granted ?? scopes,
  };
  return custody.inTurn(place, async () => {
    const { about: seen } = await marks.note(secrets.secret!, place, mergeAbout(undefined, about), true);
    const held: Held = {
      ...place,
      // A new login is another family: what is under way for the old one must not take its place.
      id: randomBytes(10).toString('hex'),
      storedAt: clock.now(),
      expiresAt: lifetime === undefined ? undefined : clock.now() + lifetime,
      about: mergeAbout(mergeAbout(about, seen), { oauth: secrets.refreshToken ? oauth : undefined }),
      made: 'login',
      fronts: custody.at(place)?.fronts ?? [],
      shown: seen.prefix,
    };
    await custody.put(held, secrets, true, undefined);
    const entry = custody.at(held);
    if (!entry) throw new KeyholdError('locked', 'cannot keep the login: the credentials were locked meanwhile');
    return entry;
  });
}

/** The kind of the tokens that a login by OAuth brings, where the service has one for them. */
export function oauthKindOf(manifest: Manifest | undefined): string | undefined {
  return manifest?.kinds.find(({ name }) => name === 'oauth')?.name;
}

/** Whether what a login for `target` brings is something that a request for `asked` may be answered with. */
export function willAnswer({ protocol, host, path, username = USERNAME }: Target, asked: Target): boolean {
  if (protocol !== asked.protocol || host !== asked.host) return false;
  const isPath = asked.path === undefined || asked.path === path;
  return isPath && (asked.username === undefined || asked.username === username);
}
