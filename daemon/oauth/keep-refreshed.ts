import { mergeAbout } from '../../protocol/about.ts';
import type { Seconds } from '../../protocol/credential.ts';
import type { Grant } from '../../protocol/grant.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { type Held, heldOf, type Secrets } from '../backends/backend.ts';
import { withBytes } from '../backends/secrets.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Emit } from '../events/agent-event.ts';
import type { Marks } from '../history/tombstones/marks.ts';
import { whyUnfitForm } from '../upstream/incoming.ts';
import type { SecretName } from '../upstream/plan.ts';
import type { UpstreamAnswer } from '../upstream/upstream.ts';
import { EARLIER_MAX } from './adopt.ts';
import type { OAuthReply } from './oauth-plan.ts';
import { outcomeOf, type RefreshOutcome, type Verdict } from './refresh-outcome.ts';
import { lifetimeOf } from './schedule.ts';

/** What keeping the tokens of a refresh needs. All of it runs in the turn of the target. */
export type KeepRefreshedParts = {
  readonly credentials: Pick<CredentialStore, 'changes' | 'entries' | 'lifecycle'>;
  readonly marks: Pick<Marks, 'note'>;
  readonly clock: Clock;
  readonly emit: Emit;
  /** The services of the moment, whose kinds say what form their tokens have. */
  readonly services?: (() => readonly Manifest[]) | undefined;
};

/** Why a token that the provider gave cannot take the place of the one that is held; undefined where it can. */
export function whyUnfit(
  parts: Pick<KeepRefreshedParts, 'services'>,
  { about }: Entry,
  { secrets, unfit }: UpstreamAnswer<OAuthReply>,
): string | undefined {
  const [bad] = unfit ?? [];
  if (bad) return bad[0] === 'refreshToken' ? `its refresh token: ${bad[1]}` : bad[1];
  const value = secrets.get('value');
  if (!value) return 'it is missing';
  const manifest = parts.services?.().find(({ id }) => id === about?.service);
  const isFormKnown = manifest?.kinds.some(({ name }) => name === about?.kind) ?? false;
  return isFormKnown ? withBytes(value, (bytes) => whyUnfitForm(manifest!, bytes, about?.kind)) : undefined;
}

/**
 * Keeps the access token until now, because the one that came cannot be kept. A refresh token that came with it is kept: the
 * one that was sent for it may be spent. Where that one is what cannot be kept, it is not known which one the provider takes.
 * `backOff` leaves the provider alone for a while, and answers for how many seconds.
 */
export async function keepOld(
  { credentials, emit }: KeepRefreshedParts,
  entry: Entry,
  { begunAt: _, ...grant }: Grant,
  { secrets, unfit }: UpstreamAnswer<OAuthReply>,
  before: Secrets,
  why: string,
  backOff: () => Seconds,
): Promise<RefreshOutcome> {
  emit({ kind: 'refresh-failed', id: entry.id, outcome: 'unfit' });
  if (unfit?.has('refreshToken') && grant.rotates !== false) {
    return { status: 'failed', ...outcomeOf(entry, 'unfit-token', undefined, why) };
  }
  const fresh = secrets.get('refreshToken');
  const about = mergeAbout(entry.about, { oauth: { ...grant, round: grant.round + (fresh ? 1 : 0) } });
  if (fresh && before.secret) {
    const held = { ...heldOf(entry), about };
    await credentials.changes.renew(entry, held, { secret: before.secret, refreshToken: fresh });
  } else await credentials.changes.noteOutcome(entry, about);
  return { status: 'failed', ...outcomeOf(entry, 'unfit-token', backOff(), why) };
}

/**
 * Keeps the tokens that came, at rest first; only then the access token is served, and the old one let go. `sent` is the refresh
 * token that they were had for, and stays where none came. Answers the entry as it is now; undefined where it is gone.
 */
export async function keepNew(
  { credentials, clock, marks, emit }: KeepRefreshedParts,
  entry: Entry,
  grant: Grant,
  { expiresIn, scopes, subject }: Extract<Verdict, { kind: 'given' }>,
  given: ReadonlyMap<SecretName, Secret>,
  sent: Secret,
): Promise<Entry | undefined> {
  const secrets = { secret: given.get('value')!, refreshToken: given.get('refreshToken') ?? sent };
  const isRotated = secrets.refreshToken !== sent;
  const lifetime = lifetimeOf(expiresIn);
  const { about: seen } = await marks.note(secrets.secret, entry, entry.about, entry.resting !== undefined);
  const earlier = [entry.about?.fingerprint, ...(grant.earlier ?? [])].filter((one) => one !== undefined);
  const { begunAt, ...rest } = grant;
  const oauth: Grant = {
    ...rest,
    round: grant.round + 1,
    lifetime,
    rotates: grant.by === 'refresh-token' ? isRotated || (grant.rotates ?? false) : false,
    subject: grant.subject ?? subject,
    earlier: earlier.slice(0, EARLIER_MAX),
  };
  const about = mergeAbout(entry.about, { ...seen, ...(scopes && { scopes }), oauth, ended: undefined });
  const held: Held = {
    ...heldOf(entry),
    expiresAt: lifetime === undefined ? undefined : clock.now() + lifetime,
    about,
    shown: about?.prefix,
  };
  // Where a value and what is known of it do not come to rest in one stroke, the mark of the refresh goes last.
  const isOneStroke = !entry.resting || credentials.lifecycle.backend?.name !== 'keyring';
  const marked = { ...held, about: mergeAbout(about, { oauth: { ...oauth, begunAt: begunAt ?? clock.now() } }) };
  await credentials.changes.renew(entry, isOneStroke ? held : marked, secrets);
  const kept = credentials.entries.at(held);
  if (!isOneStroke && kept) await credentials.changes.noteOutcome(kept, about);
  emit({ kind: 'refreshed', id: held.id });
  return kept;
}
