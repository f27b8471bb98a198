/**
 * The library: `import { dial, get } from 'keyhold'`. A program of your own asks the agent for credentials, keeps them
 * and has them forgotten, with what any other client may do and nothing more. docs/building-on-keyhold.md shows it.
 */
import { Attributes } from '../protocol/attributes.ts';
import { noCapabilities } from '../protocol/capabilities.ts';
import type { Credential, Seconds, Target } from '../protocol/credential.ts';
import type { CredentialReply, CredentialRequest, Detail, Handler } from '../protocol/handler.ts';
import type { Secret } from '../protocol/secret.ts';
import { fromWire, toWire } from '../protocol/text.ts';

export type { Credential, EpochSeconds, Seconds, Target } from '../protocol/credential.ts';
export { type FaultCode, KeyholdError } from '../protocol/errors.ts';
export { type EventName, eventNames, type KeyholdEvent } from '../protocol/events.ts';
export type { CredentialReply, CredentialRequest, Detail, Handler } from '../protocol/handler.ts';
export { expose, heapSecret, type Secret, secretFromText } from '../protocol/secret.ts';
export { exitCodeOf, type Status, statuses } from '../protocol/status.ts';
export { type Connection, type DialOptions, dial } from './dial.ts';
export { type WatchOptions, watch } from './watch.ts';

export type GetOptions = {
  /** Seconds that you are willing to wait for a human; without it you get `locked` at once. */
  readonly wait?: Seconds;
  /** False: no human is there. */
  readonly interactive?: boolean;
  /** Seconds that the secret must still live. */
  readonly minTtl?: Seconds;
  /** The person's profile to go by, where several accounts match; without it their default one. */
  readonly profile?: string;
  /** The folder to go by, where no profile is named: an absolute path. */
  readonly cwd?: string;
};

/** What a `store` keeps beside the secret. */
export type StoreOptions = Pick<Credential, 'authtype' | 'refreshToken' | 'expiresAt'> & {
  /** Held in memory only, for so many seconds. */
  readonly timeout?: Seconds;
};

/**
 * Asks for the credential of a target (`{ protocol: 'https', host: 'git.example' }`). The status of the answer says how
 * it went: `ok` carries the credential, whose secrets are yours to dispose of; everything else a message for people.
 * Throws `KeyholdError` where the agent cannot be talked to.
 */
export async function get(agent: Handler, target: Target, options: GetOptions = {}): Promise<CredentialReply> {
  const { profile, cwd, ...rest } = options;
  const place = { profile: profile && toWire(profile), cwd: cwd && toWire(cwd) };
  const reply = await agent({ ...requestOf('get', target), ...rest, ...place });
  if (reply.status !== 'ok' || !reply.credential) return reply;
  return { ...reply, credential: { ...reply.credential, ...mapTarget(reply.credential, fromWire) } };
}

/** Keeps a secret for a target, in place of what is held for it. `ok` says that it is durable. */
export async function store(
  agent: Handler,
  target: Target,
  secret: Secret,
  options: StoreOptions = {},
): Promise<CredentialReply> {
  return await agent({ ...requestOf('store', target), secret, ...options });
}

/** Has everything forgotten that matches a target: in memory and at rest. `not-found` says that nothing did. */
export async function erase(agent: Handler, target: Target): Promise<CredentialReply> {
  return await agent(requestOf('erase', target));
}

/** How the agent is: `state`, `backend`, `held`, `version` and so on, by name. Throws if the agent does not say. */
export async function status(agent: Handler): Promise<ReadonlyMap<string, string>> {
  const { details = [] } = await agent(requestOf('status'));
  return new Map(details.map(([key, value]: Detail) => [key, fromWire(value)]));
}

function requestOf(action: string, target?: Target): CredentialRequest {
  return {
    action,
    target: target && { ...target, ...mapTarget(target, toWire) },
    capabilities: { ...noCapabilities, authtype: true },
    attributes: new Attributes(),
  };
}

/** A target's text between people (UTF-16) and the wire (bytes). */
function mapTarget({ protocol, host, path, username }: Target, map: (text: string) => string): Target {
  return {
    protocol: map(protocol),
    host: map(host),
    path: path === undefined ? undefined : map(path),
    username: username === undefined ? undefined : map(username),
  };
}
