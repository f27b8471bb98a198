import type { AboutChange } from '../../protocol/about.ts';
import { noCapabilities } from '../../protocol/capabilities.ts';
import type { EpochSeconds, Target } from '../../protocol/credential.ts';
import { KeyholdError } from '../../protocol/errors.ts';
import type { CredentialReply, Standing } from '../../protocol/handler.ts';
import type { Made } from '../../protocol/made.ts';
import type { Secret } from '../../protocol/secret.ts';
import { kindOf, type Manifest, type Read } from '../../protocol/services/index.ts';
import { toWire } from '../../protocol/text.ts';
import type { Clock } from '../clock.ts';
import type { Agent } from '../credentials/agent.ts';
import type { CredentialStore } from '../credentials/held/credential-store.ts';
import type { Entry } from '../credentials/unlocked/set.ts';
import type { Caller } from '../socket/caller.ts';
import { dateIn } from './dates.ts';

/** What keeping a token needs. */
export type KeepParts = {
  /** Keeps what a service gave out, as any other store. */
  readonly agent: Pick<Agent, 'store'>;
  readonly credentials: Pick<CredentialStore, 'entries'>;
  readonly clock: Pick<Clock, 'now'>;
  /** For whom it is kept. */
  readonly caller: Caller;
};

/** What a service gave out, to be kept. */
export type Given = {
  readonly target: Target;
  readonly secret: Secret;
  readonly refreshToken?: Secret | undefined;
  readonly read: Read;
  readonly about: AboutChange;
  readonly made: Made;
  /** What its caller has seen in its place; see `CredentialRequest.onlyOver`. */
  readonly onlyOver?: Standing | undefined;
};

/**
 * Keeps a token that a service has just given out, as every other store is kept, and answers its entry. The secrets are
 * borrowed. Throws why it could not be kept; nothing has changed here then.
 */
export async function keepGiven(parts: KeepParts, manifest: Manifest, given: Given): Promise<Entry> {
  const { target, secret, refreshToken, read, made, onlyOver } = given;
  const about = { service: manifest.id, ...given.about, ...aboutIn(read) };
  const kind = kindOf(manifest, about.kind);
  const { agent, credentials } = parts;
  const reply = await agent.store(
    {
      target,
      secret,
      refreshToken,
      expiresAt: expiryIn(read, parts.clock.now()),
      about,
      made,
      onlyOver,
      // Never at rest: a great while, which its own expiry or the end of the agent cuts short.
      timeout: kind?.memoryOnly ? MEMORY_ONLY : undefined,
      capabilities: { ...noCapabilities, keyhold: true },
    },
    parts.caller,
  );
  if (reply.status !== 'ok') throw unkept(reply);
  const id = reply.ids?.[0];
  const entry =
    id === undefined
      ? credentials.entries.findAll(target).find((one) => isAt(one, target, about.label))
      : credentials.entries.byId(id);
  if (!entry) throw new KeyholdError('locked', 'cannot keep the token: the credentials were locked meanwhile');
  return entry;
}

/** Why a store was refused, as a fault: `denied` where another value stands in its place. */
function unkept({ status, message }: Exclude<CredentialReply, { status: 'ok' }>): KeyholdError {
  return new KeyholdError(status === 'denied' ? 'denied' : 'backend_failed', message);
}

/** Seconds that a token stays which must not rest anywhere. */
const MEMORY_ONLY = 86_400;

function isAt(entry: Entry, { username }: Target, label: string | undefined): boolean {
  return username === undefined ? entry.about?.label === label : entry.username === username;
}

/** When a token expires that was given out now; undefined where the answer does not say. */
export function expiryIn({ expiresAt, expiresIn }: Read, now: number): number | undefined {
  const date = dateIn(expiresAt);
  if (date !== undefined) return date;
  const seconds = Number(expiresIn);
  return typeof expiresIn === 'number' && seconds > 0 && seconds < FAR ? Math.floor(now + seconds) : undefined;
}

/** Seconds in a hundred years: what claims to live longer says nothing. */
const FAR = 36_500 * 86_400;

/** What an answer says of a token. */
export function aboutIn(read: Read): AboutChange {
  const { id, tenant, scopes, user, account } = read;
  const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : undefined);
  const known = {
    tokenId: text(id),
    tenant: text(tenant),
    account: text(user) ?? text(account),
    scopes: Array.isArray(scopes) && scopes.length > 0 ? (scopes as string[]) : undefined,
    createdAt: dateIn(read.createdAt),
  };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

/** Text for people as a wire value. */
export function wired(text: string | undefined): string | undefined {
  return text === undefined ? undefined : toWire(text);
}

/**
 * A new value in place of a held one: under the same id and label, with what the service says of the new one. Throws as `putValue`.
 */
export function replaceValue(
  parts: KeepParts,
  entry: Entry,
  { secret, refreshToken, read }: Pick<Given, 'secret' | 'refreshToken' | 'read'>,
  before: Secret,
): Promise<Entry> {
  const { service, kind, label, account, tenant, origin } = entry.about ?? {};
  const known = Object.entries({ service, kind, label, account, tenant }).filter(([, value]) => value !== undefined);
  const about = { ...Object.fromEntries(known), origin, ...aboutIn(read) };
  const value = { secret, refreshToken, about, expiresAt: expiryIn(read, parts.clock.now()) };
  return putValue(parts, entry, value, before);
}

/** What stands in a credential's place from now on. */
export type Value = Pick<Given, 'secret' | 'refreshToken' | 'about'> & { readonly expiresAt: EpochSeconds | undefined };

/**
 * Puts another value under the same id in the place of `before`, as any other store. The secrets are borrowed. Throws why it could
 * not be kept: `denied` where another value than `before` stands there by now, which stays; nothing has changed then.
 */
export async function putValue(
  parts: KeepParts,
  entry: Target & Pick<Entry, 'id' | 'authtype'>,
  value: Value,
  before: Secret,
): Promise<Entry> {
  const { protocol, host, path, username, front, authtype } = entry;
  const { agent, credentials } = parts;
  const now = credentials.entries.at(entry);
  const reply = await agent.store(
    {
      target: { protocol, host, path, username, front },
      replaces: entry.id,
      onlyOver: { value: before },
      authtype,
      ...value,
      timeout: now && !now.resting ? MEMORY_ONLY : undefined,
      capabilities: { ...noCapabilities, keyhold: true },
    },
    parts.caller,
  );
  if (reply.status !== 'ok') throw unkept(reply);
  const fresh = credentials.entries.at(entry);
  if (!fresh) throw new KeyholdError('locked', 'cannot keep the token: the credentials were locked meanwhile');
  return fresh;
}
