import { randomBytes } from 'node:crypto';
import { type About, mergeAbout } from '../../protocol/about.ts';
import type { EpochSeconds, Target } from '../../protocol/credential.ts';
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

/** A login that a provider granted. */
export type Granted = {
  readonly meant: Meant;
  readonly given: Extract<OAuthReply, { oauth: unknown }>['oauth'];
  readonly by: Grant['by'];
  /** Whose it is, where the provider or the service says. */
  readonly account: string | undefined;
  /** When it was granted: from then on its lifetime counts. */
  readonly grantedAt: EpochSeconds;
};

/** What is kept now, or the credential that stays in its place. */
type Kept = { readonly kept: Entry } | { readonly stays: Entry };

/** Keeps what a login gave, in the place of an earlier one for the same target, if it may replace that. The secrets are borrowed. */
export async function keepGrant(
  { credentials, marks, clock }: Pick<SignInParts, 'credentials' | 'marks' | 'clock'>,
  { meant: { target, manifest, provider, scopes, leeway }, given, by, account, grantedAt }: Granted,
  secrets: Secrets,
  mayReplace: (before: Entry) => boolean,
): Promise<Kept> {
  const { expiresIn, scopes: granted, subject } = given;
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
    account,
    scopes: granted ?? scopes,
  };
  return credentials.queue.run(place, async (): Promise<Kept> => {
    const before = credentials.entries.at(place);
    if (before && !mayReplace(before)) return { stays: before };
    const { about: seen } = await marks.note(secrets.secret!, place, mergeAbout(undefined, about), true);
    const held: Held = {
      ...place,
      // A new login is another family: what is under way for the old one must not take its place.
      id: randomBytes(10).toString('hex'),
      storedAt: clock.now(),
      expiresAt: lifetime === undefined ? undefined : grantedAt + lifetime,
      about: mergeAbout(mergeAbout(about, seen), { oauth: secrets.refreshToken ? oauth : undefined }),
      made: 'login',
      fronts: before?.fronts ?? [],
      shown: seen.prefix,
    };
    await credentials.changes.put(held, secrets);
    const entry = credentials.entries.at(held);
    if (!entry) throw new KeyholdError('locked', 'cannot keep the login: the credentials were locked meanwhile');
    return { kept: entry };
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
