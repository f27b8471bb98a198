import { type Actable, compareActing, mayAct } from '../../protocol/choice.ts';
import type { Target } from '../../protocol/credential.ts';
import type { Profiles } from '../../protocol/profiles.ts';
import type { Manifest } from '../../protocol/services/index.ts';
import { fromWire } from '../../protocol/text.ts';
import type { Clock } from '../clock.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import { preferenceOf } from '../credentials/profiles.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import { kindOfToken, mayMake, planned, type Question } from './planning.ts';

/** By what the login is chosen that makes the calls of one request: the caller's profile, and the token that they are about. */
export type Acting = {
  readonly about?: string | undefined;
  /** Wire values. */
  readonly profile?: string | undefined;
  readonly cwd?: string | undefined;
};

/** By what the token is chosen that makes a call. */
export type ActorParts = {
  readonly credentials: Pick<CredentialStore, 'entries'>;
  readonly clock: Clock;
  /** The profiles of the moment; without them no account is preferred. */
  readonly profiles?: (() => Profiles) | undefined;
  readonly acting: Acting;
};

/** The held credentials of one service at one place, the newest first. */
export function heldAt(
  { credentials }: Pick<ActorParts, 'credentials'>,
  manifest: Manifest,
  { protocol, host }: Target,
): Entry[] {
  const all = credentials.entries.findAll({ protocol, host });
  const own = all.filter(({ about }) => about?.service === undefined || about.service === manifest.id);
  return own.sort((one, other) => other.storedAt - one.storedAt);
}

/**
 * The credential that makes a call about others: the one that is named, else the first in the order of acting tokens
 * (protocol/choice.ts) whose kind may make it. A token that was created for a purpose makes calls about itself only, and one
 * that has expired makes none. Undefined: the person has to sign in. Throws `bad_request` for a profile that is not there.
 */
export function actorFor(
  parts: ActorParts,
  { manifest, operation, kind, target }: Question,
  named: Entry | undefined,
  except?: Entry,
): Entry | undefined {
  if (named) return named;
  const choice = planned({ manifest, operation, kind, target, values: {} });
  const call = choice.status === 'ok' ? choice.call : undefined;
  const now = parts.clock.now();
  const fit = heldAt(parts, manifest, target).filter((entry) => {
    const isAlive = entry.expiresAt === undefined || entry.expiresAt > now;
    const isFit = call === undefined || mayMake(call, kindOfToken(manifest, entry));
    return entry !== except && isAlive && isFit;
  });
  const compare = compareActing(preferredAccount(parts, target));
  const [first] = fit.filter(mayAct).sort((one, other) => compare(actable(one), actable(other)));
  const { about } = parts.acting;
  return first ?? fit.find(({ id }) => id === about);
}

/** The account, as text for people, that the caller's profile names for a place. */
function preferredAccount({ acting, profiles: current }: ActorParts, { protocol, host }: Target): string | undefined {
  const { profile, cwd } = acting;
  const profiles = current?.();
  if (!profiles) return undefined;
  const { account } = preferenceOf(profiles, { target: { protocol, host }, profile, cwd });
  return account === undefined ? undefined : fromWire(account);
}

function actable({ path, username, made, about, storedAt }: Entry): Actable {
  const { label, account, kind } = about ?? {};
  return {
    path,
    made,
    label,
    storedAt,
    account,
    kind,
    username: username === undefined ? undefined : fromWire(username),
  };
}
